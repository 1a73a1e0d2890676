"""Ordered histories of the leave-one-out protocols. Legend: U users, N items."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from models.evaluation.errors import ProtocolError
from models.training.dataset import PreparedData

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """What each user took, oldest first; items by rows 0 … N - 1."""

    name: str
    user_ids: list[str]
    item_ids: list[str]
    histories: list[IntArray]  # by user; at least three items each
    content: npt.NDArray[np.float32] | None = None  # [N, C], where the source has some: genres and decade

    @property
    def n_items(self) -> int:
        """The catalogue: every item that occurs."""
        return len(self.item_ids)


@dataclass(frozen=True)
class LeaveOneOut:
    """One item of each user to predict from those before it."""

    data: Sequences
    known: list[IntArray]  # [U], what came before the target: the history a method is asked with
    target: IntArray  # [U]
    train: list[IntArray]  # [U], what comes before both targets: choices are made on towers that saw no more

    @property
    def seen(self) -> Any:
        """CSR float32 [U, N], 1 where the user is known to have taken the item."""
        return matrix(self.known, self.data.n_items)

    @property
    def truth(self) -> Any:
        """CSR float32 [U, N], 1 at the target."""
        return matrix([np.array([item]) for item in self.target], self.data.n_items)

    @property
    def fresh(self) -> IntArray:
        """Users whose target they had not taken before, ascending: whom ``novel`` lists can serve."""
        known = np.asarray(self.seen[np.arange(len(self.target)), self.target]).ravel()
        return np.flatnonzero(known == 0)


@dataclass(frozen=True)
class Taken:
    """What the baselines of these protocols read of a split: its ``seen``."""

    bought: Any


def split(data: Sequences, on: str) -> LeaveOneOut:
    """The last item of each user is the ``test``, the one before it ``validation``."""
    hidden = 2 if on == "validation" else 1
    known = [history[:-hidden] for history in data.histories]
    target = np.array([history[-hidden] for history in data.histories])
    return LeaveOneOut(data, known, target, [history[:-2] for history in data.histories])


def matrix(histories: list[IntArray], n_items: int) -> Any:
    """CSR float32 [U, N] of the items of each history."""
    user = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    item = np.concatenate(histories)
    pairs = np.unique(user * n_items + item)
    ones = np.ones(len(pairs), np.float32)
    return scipy.sparse.csr_matrix((ones, (pairs // n_items, pairs % n_items)), (len(histories), n_items))


def load_sasrec(path: Path) -> Sequences:
    """``ml-1m.txt`` of a folder as SASRec publishes it, or another file of that form: ``user item`` a line,
    each user's lines in order of time. Ids are any words; whole numbers sort as numbers."""
    file = path / "ml-1m.txt" if path.is_dir() else path
    try:
        lines = [line.split() for line in file.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ProtocolError(
            f"{file}: no readable file of sequences ({error}): name one with --path"
        ) from error
    for number, words in enumerate(lines, 1):
        if words and len(words) != 2:
            raise ProtocolError(f"{file}:{number}: {len(words)} words: write the user, a space and the item")
    pairs = [words for words in lines if words]
    if not pairs:
        raise ProtocolError(f"{file}: holds no sequences: write the user, a space and the item on each line")
    name = "ml-1m as SASRec prepared it" if file.name == "ml-1m.txt" else file.stem
    return _sequences(name, _ids([user for user, _ in pairs]), _ids([item for _, item in pairs]))


def load_shop(data: PreparedData, min_takers: int) -> Sequences:
    """What each user took in a prepared dataset, in order of time (at one time in the order of its files), of
    items that at least ``min_takers`` users took. Raises ProtocolError where nothing is left."""
    events = data.events
    taken = np.flatnonzero(data.positive[events.type] & (events.item >= 0))
    user, item = events.user[taken], events.item[taken]  # by user, then time
    pairs = np.unique(user * len(data.item_ids) + item)
    takers = np.bincount(pairs % len(data.item_ids), minlength=len(data.item_ids))
    kept = takers[item] >= min_takers
    names = (np.array(data.user_ids), np.array(data.item_ids))
    return _sequences(data.name, names[0][user[kept]], names[1][item[kept]])


def _ids(words: list[str]) -> npt.NDArray[Any]:
    try:
        return np.array(words, np.int64)
    except (ValueError, OverflowError):
        return np.array(words)


def load_ml1m(folder: Path) -> Sequences:
    """MovieLens-1M by time: ``ratings_full.parquet`` (ties in the order of its ``sasrec_rank``), else the
    publisher's ``ratings.dat`` (ties in the order of the file)."""
    table, raw = folder / "ratings_full.parquet", folder / "ratings.dat"
    if table.is_file():
        frame = pd.read_parquet(table, columns=["user_id", "movie_id", "timestamp", "sasrec_rank"])
        tie = frame["sasrec_rank"].fillna(-1).to_numpy()
    elif raw.is_file():
        names = ["user_id", "movie_id", "rating", "timestamp"]
        frame = pd.read_csv(raw, sep="::", engine="python", names=names)
        tie = np.arange(len(frame))
    else:
        raise ProtocolError(f"{folder}: has no ratings.dat of MovieLens-1M: name the folder that holds it")
    user = frame["user_id"].to_numpy()
    order = np.lexsort((tie, frame["timestamp"].to_numpy(), user))
    found = _sequences("ml-1m", user[order], frame["movie_id"].to_numpy()[order])
    return replace(found, content=_content(folder / "movies.dat", found.item_ids))


def _content(file: Path, item_ids: list[str]) -> npt.NDArray[np.float32] | None:
    """Genres and half decade of the year in the title, each 0 or 1: [N, C]; None without the file."""
    if not file.is_file():
        return None
    lines = [line.split("::") for line in file.read_text("latin-1").splitlines()]
    words: dict[str, list[str]] = {}
    for movie, title, genres in lines:
        year = re.search(r"\((\d{4})\)\s*$", title)
        decade = [f"from {int(year[1]) // 5 * 5}"] if year else []
        words[movie] = [*genres.split("|"), *decade]
    names = sorted({word for found in words.values() for word in found})
    content = np.zeros((len(item_ids), len(names)), np.float32)
    for row, item in enumerate(item_ids):
        content[row, [names.index(word) for word in words.get(item, [])]] = 1.0
    return content


def _sequences(name: str, user: npt.NDArray[Any], item: npt.NDArray[Any]) -> Sequences:
    """From lines in order; users with fewer than three items are left out: nothing is learnt of them. Raises
    ProtocolError where nobody is left."""
    item_ids, rows = np.unique(item, return_inverse=True)
    order = np.argsort(user, kind="stable")
    users, begin = np.unique(user[order], return_index=True)
    parts = np.split(rows[order].astype(np.int64), begin[1:])
    chosen = [place for place, part in enumerate(parts) if len(part) >= 3]
    if not chosen:
        raise ProtocolError(f"{name}: no user took three items: two are held out, one is to be learnt from")
    return Sequences(
        name,
        [str(users[place]) for place in chosen],
        [str(item) for item in item_ids],
        [parts[place] for place in chosen],
    )
