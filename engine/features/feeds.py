"""What a ranker may read of a request: inputs by name, each computed for all candidates at once.

A network declares which of them it reads, with what shapes; the release's manifest records the declaration,
and training and serving build exactly what is declared. In every input 0 means that nothing is known, so that
a score can be explained by setting columns to 0. A new input is a function and a line of ``BUILDERS``.

Legend: C candidates, Fu user slots, Fi item slots, X cross features, T places of the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.features.context import UserContext
from engine.features.cross import cross_features, cross_names
from engine.features.schema import FeatureSchema
from engine.features.summary import HistorySummary
from engine.features.table import FloatArray, IntArray, ItemTable
from engine.vocabulary import EVENT_CODE

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Feed:
    """One input of a network.

    Attributes:
        name: as the exported model names it.
        dtype: numpy dtype of the values.
        shape: without the batch dimension.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def dims(self) -> str:
        """The shape as text for messages: `26`, or `10, 4`."""
        return ", ".join(map(str, self.shape))

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Feed:
        """The feed of a manifest's entry. Raises KeyError, TypeError or ValueError."""
        return cls(str(entry["name"]), np.dtype(entry["dtype"]), tuple(int(size) for size in entry["shape"]))

    def to_json(self) -> dict[str, Any]:
        """The manifest's entry."""
        return {"name": self.name, "dtype": self.dtype.name, "shape": list(self.shape)}


class Column(NamedTuple):
    """What a column of an input tells: ``kind`` is user, item, cross or history, ``name`` the feature."""

    kind: str
    name: str


@dataclass(frozen=True)
class RankRequest:
    """One shopper and the candidates, ``rows`` int64 [C] of the table; what several inputs need is computed
    once."""

    schema: FeatureSchema
    table: ItemTable
    context: UserContext
    past: HistorySummary
    rows: IntArray

    @cached_property
    def disliked(self) -> npt.NDArray[np.bool_]:
        """Which of ``past.items`` the shopper said they dislike, [m]."""
        said = self.past.history.types == EVENT_CODE["dislike"]
        return np.asarray(np.bincount(self.past.inverse, said, len(self.past.items)) > 0)

    @cached_property
    def related(self) -> tuple[IntArray, FloatArray]:
        """For each candidate the shopper's items, most related first: positions in ``past.items``, int64
        [C, m], and how much the candidate is their neighbour, float32 [C, m]. Of equal ones the stronger is
        first; what the shopper dislikes is the last of them."""
        strongest = self.past.strongest(self.schema.neighbour_items)
        strongest = np.concatenate([strongest, np.setdiff1d(np.flatnonzero(self.disliked), strongest)])
        scores = _neighbour_scores(self.table, self.past.items[strongest], self.rows)  # [C, m]
        order = np.argsort(-scores, axis=1, kind="stable")
        return strongest[order], np.take_along_axis(scores, order, axis=1)


@dataclass(frozen=True)
class Builder:
    """How one input is computed. ``columns``: what each of its columns is, for a schema and the number of
    columns asked for; the number must come out the same."""

    dtype: str
    columns: Callable[[FeatureSchema, int], Sequence[Column]]
    build: Callable[[RankRequest, int], Array]  # request and number of columns -> [C, columns]


def _user_columns(schema: FeatureSchema, _width: int) -> list[Column]:
    # A network cannot be exported with a feed that has no columns.
    return [Column("user", slot.name) for slot in schema.user_slots] or [Column("user", "profile")]


def _item_columns(schema: FeatureSchema, _width: int) -> list[Column]:
    return [Column("item", slot.name) for slot in schema.item_slots]


def _code_columns(schema: FeatureSchema, _width: int) -> list[Column]:
    return [*(Column("user", slot.name) for slot in schema.user_slots), *_item_columns(schema, 0)]


def _cross_columns(schema: FeatureSchema, _width: int) -> list[Column]:
    return [Column("cross", name) for name in cross_names(schema)]


def _history_columns(_schema: FeatureSchema, width: int) -> list[Column]:
    return [Column("history", "history")] * width


def _user_codes(request: RankRequest, width: int) -> Array:
    codes = np.empty((len(request.rows), width), np.int64)
    codes[:] = request.schema.encode_profile(request.context.profile) or 0
    return codes


def _item_codes(request: RankRequest, _width: int) -> Array:
    return request.table.features[request.rows]


def _codes(request: RankRequest, width: int) -> Array:
    users = len(request.schema.user_slots)
    codes = np.empty((len(request.rows), width), np.int64)
    codes[:, :users] = request.schema.encode_profile(request.context.profile)
    codes[:, users:] = request.table.features[request.rows]
    return codes


def _crosses(request: RankRequest, _width: int) -> Array:
    return cross_features(request.schema, request.table, request.past, request.rows)


def _history_items(request: RankRequest, width: int) -> Array:
    """The item code of each related item; 0 also where an item has no code of its own."""
    places, _ = request.related
    codes = request.table.features[request.past.items, 0]  # [m]
    return _padded(codes[places[:, :width]], width, np.int64)


def _history_scores(request: RankRequest, width: int) -> Array:
    return _padded(request.related[1][:, :width], width, np.float32)


def _history_liked(request: RankRequest, width: int) -> Array:
    """-1 for items the shopper said they dislike, 1 for the others they met."""
    places, _ = request.related
    return _padded(np.where(request.disliked, -1.0, 1.0)[places[:, :width]], width, np.float32)


def _neighbour_scores(table: ItemTable, sources: IntArray, rows: IntArray) -> FloatArray:
    """How strongly each candidate is a neighbour of each source item, float32 [C, m]; 0 where it is none."""
    distinct, back = np.unique(rows, return_inverse=True)
    scores = np.zeros((len(distinct), len(sources)), np.float32)
    if table.neighbours is None or table.neighbour_scores is None or not scores.size:
        return scores[back]
    inside = np.flatnonzero(sources < len(table.neighbours))
    targets = table.neighbours[sources[inside]]  # [m', K]
    place = np.minimum(np.searchsorted(distinct, targets), len(distinct) - 1)
    source, column = np.nonzero(distinct[place] == targets)
    scores[place[source, column], inside[source]] = table.neighbour_scores[sources[inside]][source, column]
    return scores[back]


def _padded(values: Array, width: int, dtype: type[np.generic]) -> Array:
    padded = np.zeros((len(values), width), dtype)
    padded[:, : values.shape[1]] = values
    return padded


CODES, CROSSES = "rank_sparse", "rank_dense"
HISTORY = ("history_items", "history_scores", "history_liked")
BUILDERS: dict[str, Builder] = {
    CODES: Builder("int64", _code_columns, _codes),  # those of the user, then those of the item
    CROSSES: Builder("float32", _cross_columns, _crosses),
    "user_codes": Builder("int64", _user_columns, _user_codes),
    "item_codes": Builder("int64", _item_columns, _item_codes),
    HISTORY[0]: Builder("int64", _history_columns, _history_items),
    HISTORY[1]: Builder("float32", _history_columns, _history_scores),
    HISTORY[2]: Builder("float32", _history_columns, _history_liked),
}


def feed(name: str, schema: FeatureSchema, width: int = 0) -> Feed:
    """The declaration of an input; ``width``: its columns, where the schema does not say how many. Raises
    ValueError for a name that is none of ``BUILDERS``."""
    builder = _builder(name)
    return Feed(name, np.dtype(builder.dtype), (len(builder.columns(schema, width)),))


def check_feeds(feeds: Sequence[Feed], schema: FeatureSchema) -> None:
    """Raises ValueError unless all of them can be built as declared."""
    for declared in feeds:
        width = declared.shape[0] if len(declared.shape) == 1 else 0
        if declared != (wanted := feed(declared.name, schema, width)):
            raise ValueError(
                f"feed {declared.name} is declared {declared.dtype} [{declared.dims}], "
                f"here it is {wanted.dtype} [{wanted.dims}]"
            )


def columns_of(declared: Feed, schema: FeatureSchema) -> Sequence[Column]:
    """What each column of a feed tells."""
    return _builder(declared.name).columns(schema, declared.shape[0])


def build_feeds(feeds: Sequence[Feed], request: RankRequest) -> dict[str, Array]:
    """Each declared feed, [C, ...]."""
    return {entry.name: BUILDERS[entry.name].build(request, entry.shape[0]) for entry in feeds}


def _builder(name: str) -> Builder:
    if name not in BUILDERS:
        raise ValueError(f"no feed is called {name!r}; there are: {', '.join(sorted(BUILDERS))}")
    return BUILDERS[name]
