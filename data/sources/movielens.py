"""MovieLens 100K (u.data, u.item, u.user) and 1M (ratings.dat, movies.dat, users.dat), in Latin-1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.columns import Columns
from data.rows import TextFormat
from data.sources.base import Options, Progress, categorical, find, folder, stream
from data.writer import PreparedWriter
from engine.dataset import Dataset

GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
"""In the order of the flags of u.item."""

AGES = (
    (56, "56+"),
    (50, "50-55"),
    (45, "45-49"),
    (35, "35-44"),
    (25, "25-34"),
    (18, "18-24"),
    (0, "Under 18"),
)

OCCUPATIONS = [
    "other",
    "educator",
    "artist",
    "clerical",
    "student",
    "customer service",
    "doctor",
    "executive",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales",
    "scientist",
    "self-employed",
    "engineer",
    "tradesman",
    "unemployed",
    "writer",
]
"""By the codes of MovieLens-1M; 100K has the names themselves."""

_EVENTS = ("user_id", "item_id", "rating", "timestamp")
_ML100K = {
    "ratings": TextFormat("\t", "latin-1", False, _EVENTS),
    "users": TextFormat("|", "latin-1", False, ("user_id", "age", "gender", "occupation", "zip")),
    "movies": TextFormat("|", "latin-1", False, ("item_id", "title", "released", "video", "url", *GENRES)),
}
_ML1M = {
    "ratings": TextFormat("::", "latin-1", False, _EVENTS),
    "users": TextFormat("::", "latin-1", False, ("user_id", "gender", "age", "occupation", "zip")),
    "movies": TextFormat("::", "latin-1", False, ("item_id", "title", "genres")),
}
_YEAR = re.compile(r"\((\d{4})\)\s*$")


class MovieLens:
    """The folder given by --path; which of the two formats it is shows in the file names."""

    has_events = True

    def __init__(self, options: Options) -> None:
        self._options = options

    def files(self) -> Sequence[Path]:
        """Users, movies, ratings."""
        root = folder(self._options, "movielens")
        return [
            find(root, "u.user", "users.dat"),
            find(root, "u.item", "movies.dat"),
            find(root, "u.data", "ratings.dat"),
        ]

    def describe(self) -> Dataset:
        """Ratings are the only events; the value is the number of stars."""
        return Dataset(
            name="movielens",
            title="MovieLens",
            notice="GroupLens terms: research use, no redistribution.",
            user_noun="viewer",
            positive=("rate",),
            weights={"rate": 1.0},
            user_features=(
                categorical(
                    "age", "Age", "年龄", buckets=16, values=tuple(name for _, name in reversed(AGES))
                ),
                categorical("gender", "Gender", "性别", buckets=16, values=("F", "M")),
                categorical("occupation", "Occupation", "职业", values=tuple(sorted(OCCUPATIONS))),
                categorical("zip_area", "Zip code area", "邮编区域", buckets=1024),
            ),
            item_features=(
                categorical("category_1", "First genre", "首要类型", buckets=64),
                categorical("genres", "Genres", "类型", buckets=64, kind="multi"),
                categorical("year", "Year", "年份", buckets=256),
            ),
        )

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Users, movies, ratings."""
        users, movies, ratings = self.files()
        forms = _ML100K if users.name.startswith("u.user") else _ML1M
        for cols in stream(users, "users", (), out.rejects, progress, forms["users"]):
            out.users(_users(cols, out))
        for cols in stream(movies, "items", (), out.rejects, progress, forms["movies"]):
            out.items(_movies(cols, out))
        for cols in stream(ratings, "events", (), out.rejects, progress, forms["ratings"]):
            events = cols.keep(
                {
                    "user_id": cols.ids("user_id"),
                    "item_id": cols.ids("item_id"),
                    "type": cols.constant("rate", pa.string()),
                    "at": cols.time("timestamp", "epoch_s"),
                    "value": cols.number("rating", required=True, minimum=0).cast(pa.float32()),
                    "origin": cols.origin(),
                }
            )
            out.add_missing_users(events["user_id"])
            out.add_missing_items(events["item_id"], available=True)
            out.events(events)


def _users(cols: Columns, out: PreparedWriter) -> dict[str, Any]:
    ids = cols.ids("user_id")
    ages = [_age(age) for age in cols.number("age", minimum=0).to_pylist()]
    jobs = [_occupation(job) for job in cols.category("occupation").to_pylist()]
    columns = {
        "user_id": ids,
        "age": pa.array(ages, pa.string()),
        "gender": cols.category("gender"),
        "occupation": pa.array(jobs, pa.string()),
        "zip_area": pc.utf8_slice_codeunits(cols.text("zip"), 0, 3),
    }
    cols.unique(ids, out.user_ids, "user_id")
    return cols.keep(columns)


def _movies(cols: Columns, out: PreparedWriter) -> dict[str, Any]:
    ids, titles = cols.ids("item_id"), cols.text("title")
    cols.require(pc.is_valid(titles), "no title")
    texts = titles.fill_null("").to_pylist()
    years = [match.group(1) if (match := _YEAR.search(title)) else None for title in texts]
    genres = _genres(cols)
    columns = {
        "item_id": ids,
        "title": pa.array([_natural(title) for title in texts], pa.string()),
        "category_path": pa.array([names[:1] for names in genres], pa.list_(pa.string())),
        "genres": pa.array(genres, pa.list_(pa.string())),
        "year": pa.array(years, pa.string()),
        "listed_at": pa.array([f"{year}-01-01" if year else None for year in years], pa.string()).cast(
            pa.timestamp("ms")
        ),
    }
    cols.unique(ids, out.item_ids, "item_id")
    return cols.keep(columns)


def _genres(cols: Columns) -> list[list[str]]:
    if "genres" in cols.rows.columns:
        return [text.split("|") if text else [] for text in cols.text("genres").to_pylist()]
    flags = [cols.text(genre).to_pylist() for genre in GENRES]
    return [
        [genre for genre, flag in zip(GENRES, row, strict=True) if flag == "1"]
        for row in zip(*flags, strict=True)
    ]


def _natural(title: str) -> str:
    """ "Matrix, The (1999)" as it is spoken: "The Matrix (1999)"."""
    return re.sub(r"^(.*), (The|A|An|La|Le|Les|Il|Der|Die|Das|El)( \(.*)?$", r"\2 \1\3", title)


def _age(age: float | None) -> str | None:
    return None if age is None else next(name for least, name in AGES if age >= least)


def _occupation(job: str | None) -> str | None:
    if job is not None and job.isdigit():
        return OCCUPATIONS[int(job)] if int(job) < len(OCCUPATIONS) else None
    return job
