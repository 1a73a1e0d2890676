"""A release: features, networks, item vectors and channels in one immutable folder with a manifest.

Reading needs numpy and the standard library only; arrays are memory-mapped when first asked for.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from engine import checksums
from engine.features import FeatureEncoder, FeatureSchema, Feed, ItemTable, codes_and_crosses
from engine.features.feeds import check_feeds
from engine.recall.segments import Segments

Channel = list[tuple[str, float]]  # item id and score, best first

ARTIFACTS = Path("models/artifacts")
MANIFEST, SCHEMA, CURRENT = "manifest.json", "features.json", "current"
SEGMENT_NAMES, SEGMENT_ARRAYS = "segment_names.json", ("rows", "base", "effects", "lifts")
NETWORKS = ("user_tower", "item_tower", "rank")
_UNFINISHED = ".tmp-"
_REQUIRED = (
    *(SCHEMA, "dataset.toml", "items.jsonl.gz", "item_ids.txt", "channels.json"),
    *(f"item_{name}.npy" for name in ("features", "prices", "stats", "vectors")),
    *("neighbours.npy", "neighbour_scores.npy"),
    *(f"{network}/model.{suffix}" for network in NETWORKS for suffix in ("json", "pdiparams", "onnx")),
)


class ReleaseError(Exception):
    """A release cannot be read or written; the message is one line that says which file and why."""


@dataclass(frozen=True)
class Release:
    """A release on disk. ``load`` has checked it; what is large is read when first used."""

    path: Path
    manifest: Mapping[str, Any]
    schema: FeatureSchema = field(repr=False)

    @classmethod
    def load(cls, path: Path | str, *, verify: bool = True) -> Release:
        """Open the release in folder ``path``; with ``verify``, every file's checksum is compared.

        Raises ReleaseError: no manifest, a missing or changed file, a schema of another fingerprint.
        """
        folder = Path(path)
        manifest = _read_manifest(folder)
        files = cast(Mapping[str, Mapping[str, Any]], manifest.get("files", {}))
        for name in _REQUIRED:
            if name not in files:
                raise ReleaseError(f"{folder / MANIFEST}: does not list {name}: train again")
        for name, entry in files.items():
            if fault := checksums.fault(folder / name, entry, verify):
                raise ReleaseError(fault)
        try:
            schema = FeatureSchema.from_json((folder / SCHEMA).read_text("utf-8"))
        except ValueError as error:
            raise ReleaseError(f"{folder / SCHEMA}: {error}") from error
        if schema.fingerprint() != manifest.get("fingerprint"):
            raise ReleaseError(f"{folder / SCHEMA}: its fingerprint is not the manifest's: train again")
        release = cls(folder, manifest, schema)
        try:
            check_feeds(release.rank_feeds, schema)
        except (KeyError, TypeError, ValueError) as error:
            raise ReleaseError(f"{folder / MANIFEST}: models.rank.feeds: {error}: train again") from error
        return release

    @property
    def name(self) -> str:
        """``<dataset>-<UTC yyyymmddThhmmssZ>``."""
        return str(self.manifest["release"])

    @property
    def data_end(self) -> int:
        """The end of the data it was trained on, ms since the epoch."""
        return int(self.manifest["data_window"]["end"])

    @cached_property
    def items(self) -> ItemTable:
        """The catalogue as arrays. Raises ReleaseError if they do not fit together."""
        ids = (self.path / "item_ids.txt").read_text("utf-8").splitlines()
        parts = [self._array(f"item_{name}.npy") for name in ("features", "prices", "stats")]
        parts += [self.neighbours, self.neighbour_scores]
        # What no item has is no file: an empty array cannot be mapped.
        text = self._array("item_text.npy") if self.schema.text_length else None
        checked = [*parts, self.vectors, *(part for part in [text] if part is not None)]
        if any(len(part) != len(ids) for part in checked):
            raise ReleaseError(
                f"{self.path}: the item arrays differ in length from item_ids.txt: train again"
            )
        features, prices, stats, neighbours, scores = parts
        return ItemTable(self.schema, ids, features, prices, stats, self.data_end, neighbours, scores, text)

    @cached_property
    def encoder(self) -> FeatureEncoder:
        """The encoder over ``items``, which makes the feeds that this release's ranker reads."""
        return FeatureEncoder(self.schema, self.items, self.rank_feeds)

    @property
    def rank_feeds(self) -> tuple[Feed, ...]:
        """What the ranker reads, as the manifest records it."""
        entry = self.manifest.get("models", {}).get("rank")
        if entry is None:
            return codes_and_crosses(self.schema)
        return tuple(Feed.from_json(described) for described in entry["feeds"])

    @cached_property
    def vectors(self) -> npt.NDArray[np.float32]:
        """float32 [N, D], L2-normalised, row order."""
        return self._array("item_vectors.npy")

    @cached_property
    def neighbours(self) -> npt.NDArray[np.int32]:
        """int32 [N, K] rows of similar items, best first, -1 = none."""
        return self._array("neighbours.npy")

    @cached_property
    def neighbour_scores(self) -> npt.NDArray[np.float32]:
        """float32 [N, K], 0 where there is none."""
        return self._array("neighbour_scores.npy")

    @cached_property
    def channels(self) -> Channels:
        """The lists that need no user history."""
        raw = json.loads((self.path / "channels.json").read_text("utf-8"))
        lists = {name: _channel(raw[name]) for name in ("popular", "trending", "new")}
        return Channels(**lists, segments={name: _channel(part) for name, part in raw["segments"].items()})

    @cached_property
    def segments(self) -> Segments:
        """What profiles say about items. Raises ReleaseError if the arrays do not fit together."""
        names = json.loads((self.path / SEGMENT_NAMES).read_text("utf-8"))
        rows, *parts = (self._array(f"segment_{name}.npy") for name in SEGMENT_ARRAYS)
        shape = (len(names), len(rows))
        if [part.shape for part in parts] != [shape[1:], shape, shape] or (rows >= len(self.items)).any():
            raise ReleaseError(f"{self.path}: the segment arrays do not fit together: train again")
        return Segments(tuple(names), rows, *parts)

    @property
    def user_tower_onnx(self) -> Path:
        """The user tower's ONNX file."""
        return self.path / "user_tower" / "model.onnx"

    @property
    def item_tower_onnx(self) -> Path:
        """The item tower's ONNX file."""
        return self.path / "item_tower" / "model.onnx"

    @property
    def rank_onnx(self) -> Path:
        """The ranker's ONNX file."""
        return self.path / "rank" / "model.onnx"

    def catalogue(self) -> Iterator[dict[str, Any]]:
        """The items in row order, each as in Redis (architecture, section 4)."""
        with gzip.open(self.path / "items.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def _array(self, name: str) -> npt.NDArray[Any]:
        try:
            mapped = np.load(self.path / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ReleaseError(f"{self.path / name}: not readable as an array: {error}") from error
        # Still mapped, without np.memmap's own indexing in Python, which is several times slower.
        return np.asarray(mapped)


@dataclass(frozen=True)
class Channels:
    """Item lists, best first. ``segments``: by ``feature=value`` of a profile."""

    popular: Channel
    trending: Channel
    new: Channel
    segments: Mapping[str, Channel]

    def to_json(self) -> str:
        """The text of ``channels.json``."""
        values = {
            "popular": self.popular,
            "trending": self.trending,
            "new": self.new,
            "segments": self.segments,
        }
        return json.dumps(values, ensure_ascii=False)


class ReleaseWriter:
    """Writes a release under a temporary name; ``publish`` gives it its own. Use as a context manager:

    files go to ``writer.path``; leaving without ``publish`` removes everything.
    """

    def __init__(self, artifacts: Path | str, name: str) -> None:
        self.name = name
        self.final = Path(artifacts) / name
        self.path = Path(artifacts) / f"{_UNFINISHED}{name}"

    def __enter__(self) -> ReleaseWriter:
        if self.final.exists():
            raise ReleaseError(f"{self.final}: exists already, and a release is never changed")
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def array(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write one array as ``name``."""
        np.save(self.path / name, np.ascontiguousarray(values), allow_pickle=False)

    def text(self, name: str, content: str) -> None:
        """Write one text file as ``name``, UTF-8."""
        (self.path / name).write_text(content, "utf-8")

    def segments(self, segments: Segments) -> None:
        """Write the effects of profiles on items."""
        self.text(SEGMENT_NAMES, json.dumps(segments.names, ensure_ascii=False))
        for name in SEGMENT_ARRAYS:
            self.array(f"segment_{name}.npy", getattr(segments, name))

    def catalogue(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write the items, one JSON object a line, the same bytes for the same items."""
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (self.path / "items.jsonl.gz").write_bytes(gzip.compress(lines.encode(), compresslevel=6, mtime=0))

    def publish(self, manifest: Mapping[str, Any]) -> Path:
        """Add the checksums, write the manifest, check the whole and rename it; returns its folder."""
        names = sorted(path for path in self.path.rglob("*") if path.is_file())
        files = {path.relative_to(self.path).as_posix(): checksums.describe(path) for path in names}
        content = {"release": self.name, **manifest, "files": files}
        self.text(MANIFEST, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        written = Release.load(self.path, verify=False)
        _ = written.items, written.segments
        self.path.rename(self.final)
        return self.final


def list_releases(artifacts: Path | str = ARTIFACTS) -> list[str]:
    """The names of complete releases, newest first (by the time in the name)."""
    folder = Path(artifacts)
    if not folder.is_dir():
        return []
    names = [path.parent.name for path in folder.glob(f"*/{MANIFEST}")]
    complete = [name for name in names if not name.startswith(".")]
    return sorted(complete, key=lambda name: (name.rpartition("-")[2], name), reverse=True)


def current(artifacts: Path | str = ARTIFACTS) -> str | None:
    """The name of the current release, or None where there is none."""
    try:
        name = (Path(artifacts) / CURRENT).read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    return name if name and (Path(artifacts) / name / MANIFEST).is_file() else None


def set_current(name: str, artifacts: Path | str = ARTIFACTS) -> None:
    """Make ``name`` the current release, at once and whole. Raises ReleaseError if it is not there."""
    folder = Path(artifacts)
    if not (folder / name / MANIFEST).is_file():
        raise ReleaseError(
            f"{folder / name}: no such release; there are: {', '.join(list_releases(folder)) or 'none'}"
        )
    draft = folder / f"{_UNFINISHED}{CURRENT}-{os.getpid()}"
    draft.write_text(name + "\n", "utf-8")
    draft.replace(folder / CURRENT)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise ReleaseError(f"{folder / MANIFEST}: missing: not a complete release") from None
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{folder / MANIFEST}: not readable: {error}") from error
    if (
        not isinstance(manifest, dict)
        or not {"release", "fingerprint", "data_window", "files"} <= manifest.keys()
    ):
        raise ReleaseError(f"{folder / MANIFEST}: not a release's manifest")
    return manifest


def _channel(pairs: Sequence[Sequence[Any]]) -> Channel:
    return [(str(item), float(score)) for item, score in pairs]
