"""The rows of the protocol ``ml1m-rank``: MovieLens-1M as labels, split at random, with features.

Label 1: more than 3 stars; 0: fewer; ratings of 3 stars are dropped before anything else. A tenth of the
rows, drawn with a fixed seed, is the test; a tenth of the rest is the validation part. Every method sees
this one split.

Legend: R rows, U users, N items, F fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from models.evaluation.errors import ProtocolError

IntArray = npt.NDArray[np.int64]

SPLIT_SEED = 7
TRAIN, VALIDATION, TEST = 0, 1, 2
_NEUTRAL = 3
_DECADES = 10
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_ENCODING = "latin-1"
_RATINGS = "ratings_full.parquet"
USER_FIELDS = ("gender", "age", "occupation", "zip_region", "zip_area")
ITEM_FIELDS = ("year", "decade", "first_genre")


@dataclass(frozen=True)
class Ratings:
    """Rows sorted by user and item, with what is known of users and items."""

    user: IntArray  # [R], 0..U-1
    item: IntArray  # [R], 0..N-1
    stars: IntArray  # [R], 1, 2, 4 or 5
    part: npt.NDArray[np.int8]  # [R], TRAIN, VALIDATION or TEST
    user_ids: IntArray  # [U], as in the files
    item_ids: IntArray  # [N]
    user_codes: IntArray  # [U, len(USER_FIELDS)]
    item_codes: IntArray  # [N, len(ITEM_FIELDS)]
    genres: npt.NDArray[np.float32]  # [N, genres], 0 or 1

    @property
    def label(self) -> npt.NDArray[np.bool_]:
        """More than 3 stars, [R]."""
        return self.stars > _NEUTRAL

    def rows(self, on: str) -> tuple[IntArray, IntArray]:
        """Rows to learn from and rows to score: ``on`` is "validation" or "test". For the test, the
        validation part is learnt from too."""
        if on == "validation":
            return np.flatnonzero(self.part == TRAIN), np.flatnonzero(self.part == VALIDATION)
        return np.flatnonzero(self.part != TEST), np.flatnonzero(self.part == TEST)


def load(folder: Path) -> Ratings:
    """Read users.dat, movies.dat and ratings_full.parquet (or ratings.dat). Raises ProtocolError."""
    user_id, item_id, stars = _ratings(folder)
    kept = stars != _NEUTRAL
    user_id, item_id, stars = user_id[kept], item_id[kept], stars[kept]
    if not len(stars):
        raise ProtocolError(f"{folder}: no ratings other than 3 stars")
    part = deal(len(stars))
    user_ids, user = np.unique(user_id, return_inverse=True)
    item_ids, item = np.unique(item_id, return_inverse=True)
    # The most rated first: what is read together lies together, and the kernel waits less for memory.
    busiest = np.argsort(-np.bincount(item[part != TEST], minlength=len(item_ids)), kind="stable")
    item_ids, item = item_ids[busiest], np.argsort(busiest)[item]
    order = np.lexsort((item, user))
    item_codes, genres = _items(folder, item_ids)
    return Ratings(
        user[order].astype(np.int64),
        item[order].astype(np.int64),
        stars[order],
        part[order],
        user_ids,
        item_ids,
        _users(folder, user_ids),
        item_codes,
        genres,
    )


def deal(rows: int) -> npt.NDArray[np.int8]:
    """The part of each row of the file, [R]: a tenth test, a tenth of the rest validation."""
    order = np.random.default_rng(SPLIT_SEED).permutation(rows)
    part = np.full(rows, TRAIN, np.int8)
    tests = rows // 10
    part[order[:tests]] = TEST
    part[order[tests : tests + (rows - tests) // 10]] = VALIDATION
    return part


def _ratings(folder: Path) -> tuple[IntArray, IntArray, IntArray]:
    path = folder / _RATINGS
    if path.is_file():
        table = pq.read_table(path, columns=["user_id", "movie_id", "rating"])
        users, films, stars = (table[name].to_numpy().astype(np.int64) for name in table.column_names)
        return users, films, stars
    lines = _lines(folder / "ratings.dat", 4)
    columns = np.array([line[:3] for line in lines], np.int64)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _lines(path: Path, columns: int) -> list[list[str]]:
    if not path.is_file():
        raise ProtocolError(f"{path} is missing: give the folder of MovieLens-1M with --path")
    lines = [line.split("::") for line in path.read_text(_ENCODING).splitlines() if line]
    if any(len(line) != columns for line in lines):
        raise ProtocolError(f"{path}: a line has not {columns} columns separated by ::")
    return lines


def _codes(values: list[str]) -> IntArray:
    return np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)


def _users(folder: Path, ids: IntArray) -> IntArray:
    """Codes of the users' profiles, [U, len(USER_FIELDS)]."""
    path = folder / "users.dat"
    known = {int(line[0]): line[1:] for line in _lines(path, 5)}
    if missing := set(ids.tolist()) - set(known):
        raise ProtocolError(f"{path}: user {min(missing)} has ratings and no line")
    lines = [known[name] for name in ids.tolist()]
    columns = [[line[0] for line in lines], [line[1] for line in lines], [line[2] for line in lines]]
    columns += [[line[3][:digits] for line in lines] for digits in (1, 3)]
    return np.stack([_codes(column) for column in columns], axis=1)


def _items(folder: Path, ids: IntArray) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Codes of the items' features, [N, len(ITEM_FIELDS)], and their genres, [N, genres]."""
    path = folder / "movies.dat"
    known = {int(line[0]): line[1:] for line in _lines(path, 3)}
    if missing := set(ids.tolist()) - set(known):
        raise ProtocolError(f"{path}: movie {min(missing)} has ratings and no line")
    lines = [known[name] for name in ids.tolist()]
    found = [_YEAR.search(title) for title, _ in lines]
    years = [int(year.group(1)) if year else 0 for year in found]
    names = [genres.split("|") for _, genres in lines]
    vocabulary = sorted({genre for line in names for genre in line})
    genres = np.array([[genre in line for genre in vocabulary] for line in names], np.float32)
    columns = [[str(year) for year in years], [str(year // _DECADES) for year in years]]
    columns.append([line[0] for line in names])
    return np.stack([_codes(column) for column in columns], axis=1), genres
