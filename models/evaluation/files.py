"""The protocol of fixed files: ``--train FILE --test FILE``, as published splits come.

Each file is a table of events, CSV (plain, .gz or .zip) or Parquet, with ``user_id``, ``item_id`` and, where
there are times, ``at`` (ISO, or seconds or milliseconds since 1970); other columns are not read. It is read
as ``data.prepare`` reads a shop's files: the same spelling of ids, the same limit of bad rows. A line says
that the user took the item.

Catalogue: the items of the train file. Users: those of the test file that are in the train file. The
validation part is drawn from the train file: of each user the share of items that the test file has of all,
at random.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.columns import Columns
from data.errors import DataError
from data.parquet_rows import parquet_rows, read_parquet_rows
from data.prepare import prepare
from data.rejects import Rejects
from data.rows import TextFormat, no_progress, read_rows
from data.sources.base import Progress, stream
from data.writer import PreparedWriter
from engine.dataset import Dataset
from models.evaluation.retail import RetailSplit, binary, split
from models.training.channels import Purchases
from models.training.dataset import DataFault, PreparedData, load_prepared

_IDS = ("user_id", "item_id")
_TIME = "at"
_NO_TIME = 946_684_800_000  # 2000-01-01: every event's, where the file has no times
_SEED = 7
_PARQUET = (".parquet", ".pq")


class EventsFile:
    """A table of events as a source of ``data.prepare``: users and items are what its events name."""

    has_events = True

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def files(self) -> Sequence[Path]:
        """The file. Raises DataError."""
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file")
        return [self.path]

    def describe(self) -> Dataset:
        """Every event is a purchase."""
        return Dataset(name=self.name, title=self.path.name, positive=("purchase",))

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Stream the file into the tables. Raises DataError."""
        form = self.time_format()
        for cols in self.batches(out.rejects, progress, (*_IDS, *([_TIME] if form else []))):
            count = len(cols)
            columns = {
                "user_id": cols.ids("user_id"),
                "item_id": cols.ids("item_id"),
                "type": pa.array(["purchase"] * count),
                "at": cols.time(_TIME, form) if form else pa.array([_NO_TIME] * count, pa.timestamp("ms")),
                "value": pa.array([1.0] * count, pa.float32()),
            }
            events = cols.keep(columns)
            out.add_missing_users(events["user_id"])
            out.add_missing_items(events["item_id"], available=True)
            out.events(events)

    def batches(self, rejects: Rejects, progress: Progress, names: Sequence[str]) -> Iterator[Columns]:
        """The columns of that name. Raises DataError."""
        if self.path.suffix in _PARQUET:
            with progress(f"events: {self.path.name}", parquet_rows(self.path), "row") as advance:
                for rows in read_parquet_rows(self.path, "events", names, rejects, advance):
                    yield Columns(rows, rejects)
            return
        yield from stream(self.path, "events", names, rejects, progress, self._form())

    def time_format(self) -> str:
        """How ``at`` is written, by its first value; empty where the file has no such column."""
        names = _IDS
        if self.path.suffix in _PARQUET:
            try:
                names = tuple(pq.read_schema(self.path).names)
            except (OSError, pa.ArrowInvalid) as error:
                raise DataError(f"{self.path}: no readable Parquet file ({error})") from error
            wanted = (*_IDS, *({_TIME} & set(names)))
            batches = read_parquet_rows(self.path, "events", wanted, Rejects(), no_progress)
        else:
            batches = read_rows(self.path, "events", _IDS, Rejects(), self._form())
        first = next(iter(batches), None)
        if first is None or _TIME not in first.columns:
            return ""
        value = first.column(_TIME)[0].strip()
        if re.fullmatch(r"[0-9]+", value):
            return "epoch_ms" if len(value) > 11 else "epoch_s"
        return "iso"

    def _form(self) -> TextFormat:
        return TextFormat(delimiter="\t" if ".tsv" in self.path.name else ",")


@dataclass(frozen=True)
class FixedFiles:
    """Both files, read: what is learnt from, and the pairs (user, item) of the test that it knows."""

    folder: Path  # the train file as a prepared dataset
    data: PreparedData
    user: Any  # int64 [P], of data.user_ids
    item: Any  # int64 [P], of data.item_ids
    unknown: int  # pairs of the test whose user or item is not in the train file
    min_buyers: int = 1

    @property
    def timed(self) -> bool:
        """Whether the train file has times."""
        return self.data.end - self.data.begin > 1

    def split(self, back: int = 0) -> RetailSplit:
        """0: the test; 1: the validation part of the train file, 2: that of what is then left. Raises
        DataFault."""
        found = split(self.data, self.data.end, self.data.end, self.min_buyers)
        rows = _rows(self.data.item_ids, found.item_ids)[self.item]
        pairs = np.unique(np.stack([self.user, rows])[:, rows >= 0], axis=1)
        share = pairs.shape[1] / max(found.bought.nnz + pairs.shape[1], 1)
        found = _with_truth(found, binary(pairs[0], pairs[1], found.bought.shape))
        for number in range(back):
            found = _held_out(found, share, _SEED + number)
        if not len(found.users):
            raise DataFault(
                f"{self.data.name}: no user of the test file took anything in the train file: are ids alike?"
            )
        return found


def read_files(train: Path, test: Path, home: Path, min_buyers: int = 1) -> FixedFiles:
    """Both files, prepared in the folder ``home``. Raises DataFault."""
    folder, data = _prepared(train, home)
    held = _prepared(test, home)[1]
    user = _rows(held.user_ids, data.user_ids)[held.events.user]
    item = _rows(held.item_ids, data.item_ids)[held.events.item]
    known = (user >= 0) & (item >= 0)
    return FixedFiles(folder, data, user[known], item[known], int((~known).sum()), min_buyers)


def _prepared(file: Path, home: Path) -> tuple[Path, PreparedData]:
    digest = sha256(str(file.resolve()).encode()).hexdigest()[:8]
    source = EventsFile(file, f"{_name(file)}-{digest}")
    try:
        prepare(source, source.describe(), home, source_name="files")
    except DataError as error:
        raise DataFault(str(error)) from error
    return home / source.name, load_prepared(home / source.name)


def _rows(names: Sequence[str], known: Sequence[str]) -> Any:
    """The place of each name among the known ones, -1 where it is not there: int64 [len(names)]."""
    place = {name: number for number, name in enumerate(known)}
    return np.array([place.get(name, -1) for name in names], np.int64)


def _name(path: Path) -> str:
    return re.sub("[^a-z0-9_-]+", "-", path.name.split(".")[0].lower()) or "events"


def _with_truth(found: RetailSplit, truth: Any) -> RetailSplit:
    known = np.diff(found.bought.indptr) > 0
    fresh = (truth - truth.multiply(found.bought)).tocsr()
    fresh.eliminate_zeros()
    return replace(
        found,
        truth=truth,
        users=np.flatnonzero(known & (np.diff(truth.indptr) > 0)),
        novel_truth=fresh,
        novel_users=np.flatnonzero(known & (np.diff(fresh.indptr) > 0)),
    )


def _held_out(found: RetailSplit, share: float, seed: int) -> RetailSplit:
    """The same without a share of each user's items, at random, one at least to learn from; these are the
    truth."""
    bought = found.bought
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(bought.shape[0]), np.diff(bought.indptr))
    order = np.lexsort((rng.random(len(user)), user))  # each user's items, shuffled
    place = np.arange(len(user)) - bought.indptr[user]
    sizes = np.diff(bought.indptr)[user]
    hidden = np.zeros(len(user), np.bool_)
    hidden[order] = place < np.minimum(np.maximum(np.round(sizes * share), 1), sizes - 1)
    truth = binary(user[hidden], bought.indices[hidden], bought.shape)
    train = found.train
    kept = np.asarray(truth[train.user, train.row]).ravel() == 0
    left = Purchases(
        train.user[kept],
        train.row[kept],
        train.at[kept],
        train.weight[kept],
        train.n_users,
        train.n_items,
        train.cutoff,
    )
    rest = replace(found, train=left, bought=binary(user[~hidden], bought.indices[~hidden], bought.shape))
    return _with_truth(rest, truth)
