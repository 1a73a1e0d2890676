"""Time-correct training samples: what was known of a user before a moment, and what was taken after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine.features import DAY_MS, FeatureEncoder, History, HistorySummary, UserContext
from engine.features.encoder import USER_FEEDS
from engine.snapshot import Snapshot
from models.training.browsing import SHARE, browse
from models.training.candidates import served_rows
from models.training.config import TrainConfig
from models.training.dataset import CatalogueEvents

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[np.generic]]


def stack_feeds(parts: Sequence[Mapping[str, npt.NDArray[np.generic]]]) -> Arrays:
    """The rows of all parts, feed by feed; at least one part."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class TowerSamples:
    """S contexts with their feeds (first dimension S) and positives int64 [S, P] item rows, -1 = none."""

    feeds: Arrays
    positives: IntArray

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[IntArray]:
        """Shuffled positions of whole batches; a last one of less than half the size is dropped."""
        order = rng.permutation(len(self.positives))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            if start == 0 or 2 * len(part) >= size:
                yield part


@dataclass(frozen=True)
class RankSamples:
    """R rows in groups, one group for each context: ``group`` [G + 1] starts, ``user`` [G].

    ``feeds``: what the ranker reads of each row, [R, ...] each; codes are kept as int32, half the memory.
    """

    feeds: Arrays
    label: FloatArray  # [R]
    row: npt.NDArray[np.int32]  # [R] item rows
    group: IntArray
    user: IntArray
    n_recalled: IntArray  # [G], of each group the first ones were recalled, the rest drawn at random

    @staticmethod
    def join(parts: list[RankSamples]) -> RankSamples:
        """All groups of all parts."""
        shifts = np.cumsum([0, *(len(part.label) for part in parts)])
        starts = [part.group[:-1] + shift for part, shift in zip(parts, shifts[:-1], strict=True)]
        return RankSamples(
            feeds=stack_feeds([part.feeds for part in parts]),
            label=np.concatenate([part.label for part in parts]),
            row=np.concatenate([part.row for part in parts]),
            group=np.concatenate([*starts, shifts[-1:]]),
            user=np.concatenate([part.user for part in parts]),
            n_recalled=np.concatenate([part.n_recalled for part in parts]),
        )


def context_of(events: CatalogueEvents, user: int, now: int) -> UserContext:
    """The user at a moment, without events: training passes the history beside it."""
    data = events.data
    return UserContext(data.user_ids[user], data.profiles[user], (), now)


def past_of(events: CatalogueEvents, encoder: FeatureEncoder, user: int, now: int) -> HistorySummary:
    """What ``encoder.summary`` gives in serving, from the columns of the training data."""
    limit = encoder.schema.history_length
    return HistorySummary(encoder.schema, encoder.table, events.history(encoder.table, user, now, limit))


def no_past(encoder: FeatureEncoder) -> HistorySummary:
    """The history of somebody who has none."""
    nothing = History(np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0))
    return HistorySummary(encoder.schema, encoder.table, nothing)


def tower_samples(
    events: CatalogueEvents,
    encoder: FeatureEncoder,
    begin: int,
    end: int,
    config: TrainConfig,
    rng: np.random.Generator,
) -> TowerSamples:
    """Contexts at moments of the users' own positive events in [begin, end), the newest more often; some of
    them without their history, as if the user were new."""
    tower = config.tower
    horizon = int(tower.horizon_days * DAY_MS)
    feeds: list[Arrays] = []
    positives: list[IntArray] = []
    for user in tqdm(
        range(len(events.data.user_ids)), desc="user contexts", unit="user", disable=None, leave=False
    ):
        part = events.data.events.between(user, begin, end)
        taken = events.data.positive[events.data.events.type[part]] & (events.row[part] >= 0)
        moments = np.unique(events.data.events.at[part][taken])
        if not len(moments):
            continue
        recency = np.exp2((moments - end) / (120 * DAY_MS))
        count = min(tower.contexts_per_user, len(moments))
        for moment in rng.choice(moments, count, replace=False, p=recency / recency.sum()).tolist():
            rows = events.positives(user, moment, min(moment + horizon, end))
            chosen = np.full(tower.positives_per_context, -1, np.int64)
            picked = rng.permutation(rows)[: tower.positives_per_context]
            chosen[: len(picked)] = picked
            new = bool(events.data.profiles[user]) and rng.random() < tower.new_shoppers
            past = no_past(encoder) if new else past_of(events, encoder, user, moment)
            feeds.append(encoder.user_tower(context_of(events, user, moment), past))
            positives.append(chosen)
    if not feeds:
        return TowerSamples({name: np.zeros((0,)) for name in USER_FEEDS}, np.zeros((0, 1), np.int64))
    return TowerSamples(stack_feeds(feeds), np.stack(positives))


def active_users(events: CatalogueEvents, begin: int, end: int) -> IntArray:
    """Users with a positive event of the catalogue in [begin, end) and any event before it."""
    stream = events.data.events
    taken = (stream.at >= begin) & (stream.at < end) & (events.row >= 0) & events.data.positive[stream.type]
    earlier = np.unique(stream.user[stream.at < begin])
    return np.intersect1d(stream.user[taken], earlier)


def ranked_users(events: CatalogueEvents, begin: int, end: int, config: TrainConfig) -> IntArray:
    """The window's active users, in order; where they are more than ``config.rank.users``, that many of them,
    drawn the same in each call."""
    users = active_users(events, begin, end)
    if len(users) <= config.rank.users:
        return users
    rng = np.random.default_rng([config.seed, begin // 1000])
    return np.sort(rng.choice(users, config.rank.users, replace=False))


def rank_samples(
    events: CatalogueEvents,
    encoder: FeatureEncoder,
    snapshot: Snapshot,
    user_vectors: FloatArray,
    window: tuple[int, int],
    config: TrainConfig,
    rng: np.random.Generator,
    browsing: bool = False,
) -> RankSamples:
    """The candidates that would have been served at the window's begin to its ``ranked_users``, and some at
    random; label 1 = taken in the window. ``user_vectors`` [G, D] belong to the window's ``ranked_users``.
    ``browsing``: some contexts get made-up clicks, see ``models/training/browsing.py``.
    """
    begin, end = window
    users = ranked_users(events, begin, end, config)
    groups = []
    bar = tqdm(users.tolist(), desc="candidates", unit="user", disable=None, leave=False)
    for position, user in enumerate(bar):
        history = events.history(encoder.table, user, begin, encoder.schema.history_length)
        if browsing and rng.random() < SHARE:
            history = browse(history, events.positives(user, begin, end), len(encoder.table), rng)
        past = HistorySummary(encoder.schema, encoder.table, history)
        context = context_of(events, user, begin)
        served = served_rows(snapshot, context, past, user_vectors[position], config.recall.total)
        groups.append(candidate_rows(events, encoder, user, past, served, window, config, rng))
    return RankSamples.join(groups)


def candidate_rows(
    events: CatalogueEvents,
    encoder: FeatureEncoder,
    user: int,
    past: HistorySummary,
    served: IntArray,
    window: tuple[int, int],
    config: TrainConfig,
    rng: np.random.Generator,
) -> RankSamples:
    """One group: the served items and some at random, as the ranker sees them at the window's begin."""
    begin, end = window
    extra = np.setdiff1d(rng.integers(0, len(encoder.table), config.rank.random_candidates), served)
    candidates = np.concatenate([served, extra])
    feeds = encoder.rank(context_of(events, user, begin), candidates, past)
    return RankSamples(
        {
            name: values.astype(np.int32) if values.dtype == np.int64 else values
            for name, values in feeds.items()
        },
        np.isin(candidates, events.positives(user, begin, end)).astype(np.float32),
        candidates.astype(np.int32),
        np.array([0, len(candidates)], np.int64),
        np.array([user], np.int64),
        np.array([len(served)], np.int64),
    )
