"""What the ranker learns on is what is served: candidates, features and scores, offline and on the path."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import redis

from engine import rank
from engine.features import DAY_MS, Event, History, HistorySummary, UserContext
from engine.features.context import ages_in_days
from engine.recall.exact import ExactSearch
from engine.release import Release
from engine.snapshot import Snapshot
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.training.candidates import served_rows
from services.adapters.by_url import open_predictor, open_tower
from services.common import keys
from services.common.values import now_ms
from tests.contract.test_request_path_ports import RequestPath, T, artifacts, path  # noqa: F401 - fixtures

pytestmark = pytest.mark.contract

CONTEXTS, CANDIDATES = 300, 200


def replayed(snapshot: Snapshot, rng: np.random.Generator) -> tuple[UserContext, HistorySummary]:
    """A shopper as a request brings them, and the summary of the same history as training makes it."""
    now = now_ms()
    count = int(rng.choice([0, 1, 5, 60, 1_000]))
    # From a minute ago to a year, some of them in today's session; one in ten of an item that nobody knows.
    at = np.sort(now - (rng.choice([0.3, 30, 365], count) * rng.random(count) * DAY_MS).astype(np.int64))[
        ::-1
    ]
    rows = np.where(rng.random(count) < 0.1, -1, rng.integers(0, len(snapshot.table), count))
    types = rng.integers(0, len(HISTORY_EVENT_TYPES), count).astype(np.int8)
    at = np.minimum(at, now - 1)
    events = [
        Event(snapshot.table.ids[row] if row >= 0 else "gone", HISTORY_EVENT_TYPES[kind], moment)
        for row, kind, moment in zip(rows.tolist(), types.tolist(), at.tolist(), strict=True)
    ]
    profile = {"age": str(rng.integers(0, 4))} if rng.random() < 0.5 else {}
    history = History(rows, types, ages_in_days(at, now, snapshot.table.data_end))
    return UserContext("u", profile, events, now), HistorySummary(snapshot.schema, snapshot.table, history)


def sold_out_now(path: RequestPath, item_ids: list[str]) -> None:  # noqa: F811
    """Make these the items that cannot be bought, as in the release, and wait until recall has seen it."""
    redis.Redis.from_url(path.settings.redis()).sadd(keys.UNAVAILABLE, *item_ids)
    nobody, end = UserContext("", {}, (), now_ms()), time.monotonic() + 5.0
    while not set(path.recall.recall_items(nobody, 1_000, T).candidates.item_ids()).isdisjoint(item_ids):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_offline_candidates_features_and_scores_are_those_that_are_served(
    path: RequestPath,  # noqa: F811
    artifacts: Path,  # noqa: F811
) -> None:
    release = Release.load(artifacts / (artifacts / "current").read_text("utf-8").strip())
    snapshot = Snapshot.of(release, open_tower("onnx://", release), ExactSearch(release.vectors))
    assert snapshot.catalogue is not None
    sold_out = np.flatnonzero(~snapshot.catalogue.available)
    sold_out_now(path, [snapshot.table.ids[row] for row in sold_out.tolist()])
    predictor = open_predictor("onnx://", release.path, release.name)
    rng = np.random.default_rng(7)
    compared = 0
    for _ in range(CONTEXTS):
        context, past = replayed(snapshot, rng)
        known = UserContext(context.user_id, context.profile, (), context.now)  # as in training: no events
        vector = snapshot.encode_user(known, past)
        rows = served_rows(snapshot, known, past, vector, CANDIDATES)
        served = path.recall.recall_items(context, CANDIDATES, T)
        assert served.candidates.item_ids() == [snapshot.table.ids[row] for row in rows.tolist()]
        features = snapshot.encoder.rank(context, rows)
        for name, array in snapshot.encoder.rank(known, rows, past).items():
            np.testing.assert_allclose(features[name], array, rtol=0, atol=1e-6)
        scores = rank.score(snapshot, known, rows, predictor.predict, T, past)
        found = path.rank.rank_candidates(context, served.candidates, T, served.release).scores
        np.testing.assert_allclose(found, scores, rtol=0, atol=1e-6)
        compared += len(rows)
    assert compared > CONTEXTS * CANDIDATES // 2
