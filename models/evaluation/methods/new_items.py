"""What ranks items that nobody has bought yet: the methods of the protocol ``new-items``.

Legend: B users, P new items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import scipy.sparse

from engine.features import DAY_MS, Event, UserContext, encode_items, encode_texts, item_feeds
from engine.recall.filters import LiveSet
from engine.recall.fresh import FreshItems
from engine.recall.new_items_store import read_new_items
from engine.release import Release
from engine.types import NO_FILTER
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.evaluation.errors import ProtocolError
from models.evaluation.ranking import DoubleArray, IntArray
from models.training.catalogue import build_schema, select_items
from models.training.config import TrainConfig
from models.training.dataset import CatalogueEvents, PreparedData
from models.training.new_items_fit import NewItemFit
from models.training.samples import context_of, past_of
from models.training.windows import validation_window

Scores = npt.NDArray[np.floating[Any]]


class Method(Protocol):
    """Scores new items. ``ties``: whether equal scores are usual."""

    ties: bool

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        ...


class Served:
    """The channel ``new`` of a release, asked as recall asks it, for what it has of items without events."""

    ties = False

    def __init__(
        self, data: PreparedData, new: IntArray, cut: int, config: TrainConfig, release: Release | None
    ) -> None:
        stored = read_new_items(release) if release is not None else None
        if release is None or stored is None:
            raise ProtocolError("the release knows nothing of new items: train again")
        self._data, self._cut = data, cut
        self._fresh = FreshItems(stored, release.schema, release.data_end)
        self._limit = release.schema.history_length
        self._place = {data.item_ids[item]: place for place, item in enumerate(new.tolist())}

    def scores(self, users: IntArray) -> npt.NDArray[np.floating[Any]]:
        """[B, P]; -inf for what is not proposed."""
        found = np.full((len(users), len(self._place)), -np.inf, np.float32)
        for line, user in enumerate(users.tolist()):
            context = context_before(self._data, user, self._cut, self._limit)
            ids, scores = self._fresh.best(context, NO_FILTER, LiveSet(0, None), len(self._fresh))
            for item, score in zip(ids, scores.tolist(), strict=True):
                if item in self._place:
                    found[line, self._place[item]] = score
        return found


def context_before(data: PreparedData, user: int, moment: int, limit: int) -> UserContext:
    """The user's context as the user service would give it at the moment."""
    stream = data.events
    part = stream.before(user, moment, limit)
    rows = zip(stream.item[part].tolist(), stream.type[part].tolist(), stream.at[part].tolist(), strict=True)
    events = [
        Event(data.item_ids[item], HISTORY_EVENT_TYPES[kind], at) for item, kind, at in rows if item >= 0
    ]
    return UserContext(data.user_ids[user], data.profiles[user], events[::-1], moment)


class Chance:
    """Everything alike."""

    ties = True

    def __init__(self, data: PreparedData, new: IntArray, *_: object) -> None:
        self._count = len(new)

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        return np.zeros((len(users), self._count), np.float32)


class CategoryPopularity:
    """What items of the same deepest category sell on average, the same for everybody: all purchases before
    the cut (``half_life`` None) or decayed, or different buyers."""

    ties = True

    def __init__(
        self, data: PreparedData, new: IntArray, *_: object, buyers: bool = False, half_life: float = np.inf
    ) -> None:
        stream, n = data.events, len(data.item_ids)
        chosen = data.positive[stream.type] & (stream.item >= 0)
        items, users = stream.item[chosen], stream.user[chosen]
        weights = np.exp2((stream.at[chosen] - data.end) / DAY_MS / half_life)
        if buyers:
            items = np.unique(users * n + items) % n
            weights = np.ones(len(items))
        leaf = leaves(data)
        sold = np.bincount(leaf[items], weights, leaf.max() + 1)
        several = np.bincount(leaf[np.unique(items)], minlength=leaf.max() + 1)
        self._scores = (sold / np.maximum(several, 1))[leaf[new]]

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        return np.tile(self._scores.astype(np.float32), (len(users), 1))


class OwnCategories:
    """How often the user bought of the item's deepest category."""

    ties = True

    def __init__(self, data: PreparedData, new: IntArray, *_: object) -> None:
        stream, leaf = data.events, leaves(data)
        chosen = data.positive[stream.type] & (stream.item >= 0)
        ones = np.ones(int(chosen.sum()), np.float32)
        shape = (len(data.user_ids), int(leaf.max()) + 1)
        counts = scipy.sparse.csr_matrix((ones, (stream.user[chosen], leaf[stream.item[chosen]])), shape)
        self._counts, self._of = counts, leaf[new]

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        return np.asarray(self._counts[users].toarray()[:, self._of], np.float32)


class ReleaseVectors:
    """The towers as exported: the item tower on content alone, the user tower with the user's history."""

    ties = False

    def __init__(
        self, data: PreparedData, new: IntArray, cut: int, config: TrainConfig, release: Release | None
    ) -> None:
        if release is None:
            raise ValueError("needs a release")
        self._release, self._cut = release, cut
        self._user = ort.InferenceSession(str(release.user_tower_onnx), providers=["CPUExecutionProvider"])
        tower = ort.InferenceSession(str(release.item_tower_onnx), providers=["CPUExecutionProvider"])
        records = [data.records[item] for item in new.tolist()]
        _, features, _ = encode_items(release.schema, records)
        feeds = item_feeds(release.schema, features, encode_texts(release.schema, records))
        self._vectors = tower.run(None, feeds)[0]
        rows = np.append(release.items.row_of(data.item_ids), -1)
        self._events = CatalogueEvents(data, rows[data.events.item])

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        return np.asarray(self._encoded(users) @ self._vectors.T)

    def known_scores(self, users: IntArray) -> Scores:
        """Of the release's own items, [B, N]."""
        return np.asarray(self._encoded(users) @ self._release.vectors.T)

    def _encoded(self, users: IntArray) -> Scores:
        encoder = self._release.encoder
        vectors = []
        for user in users.tolist():
            past = past_of(self._events, encoder, user, self._cut)
            feeds = encoder.user_tower(context_of(self._events, user, self._cut), past)
            vectors.append(self._user.run(None, {name: feeds[name] for name in self._inputs})[0][0])
        return np.stack(vectors)

    @property
    def _inputs(self) -> list[str]:
        return [entry.name for entry in self._user.get_inputs()]


class NewItems:
    """``engine/recall/new_items.py`` as a release learns it."""

    ties = False

    def __init__(
        self, data: PreparedData, new: IntArray, cut: int, config: TrainConfig, release: Release | None
    ) -> None:
        records = [data.records[item] for item in select_items(data, config.catalogue).tolist()]
        schema = build_schema(data, records, config)
        window = validation_window(data.begin, data.end, config.window_days)
        self._fit = NewItemFit(data, schema, window, config.seed)
        model = self._fit.fit(cut)
        if model is None:
            raise ProtocolError("there were no launches to learn from: the data before the cut are too short")
        self._model, self._cut = model, cut
        self._bins = self._fit.item_bins[new]
        self._prior: DoubleArray = model.prior_of(self._bins).astype(np.float64)

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        model, fit = self._model, self._fit
        personal = [model.personal(fit.taken(user, self._cut), self._bins) for user in users.tolist()]
        return np.stack(personal) + self._prior


class NewItemsPrior(NewItems):
    """The same without what is personal: what launches of such a kind do."""

    def scores(self, users: IntArray) -> Scores:
        """[B, P]"""
        return np.tile(self._prior, (len(users), 1))


def leaves(data: PreparedData) -> IntArray:
    """A number for each item's whole category path."""
    paths = ["\x1f".join(record["category_path"]) for record in data.records]
    return np.unique(paths, return_inverse=True)[1].ravel().astype(np.int64)


METHODS: Mapping[str, Callable[..., Method]] = {
    "random": Chance,
    "category-popularity": CategoryPopularity,
    "category-buyers": lambda *given: CategoryPopularity(*given, buyers=True),
    "category-popularity-28d": lambda *given: CategoryPopularity(*given, half_life=28.0),
    "own-categories": OwnCategories,
    "towers": ReleaseVectors,
    "launch-prior": NewItemsPrior,
    "new-items": NewItems,
    "served": Served,
}
OF_RELEASE = ("towers", "served")
"""Methods that ask a release."""
