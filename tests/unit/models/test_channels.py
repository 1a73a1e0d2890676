"""Recall channels without a network, on purchases small enough to see through."""

from __future__ import annotations

import numpy as np
import pytest

from engine.features import DAY_MS, STATS, Event, FeatureEncoder, ItemTable, UserContext
from engine.recall.channels import Request, item_to_item
from engine.recall.repeat import bought_again
from engine.recall.segments import Segments
from engine.snapshot import Snapshot
from models.training.channels import Purchases, item_stats, neighbours, new_items, popular, trending
from tests.unit.models.conftest import NOW

pytestmark = pytest.mark.unit


def purchases(rows: list[tuple[int, int, float]], users: int = 40, items: int = 6) -> Purchases:
    """From (user, item, days before the cutoff)."""
    user, row, days = (np.array(column) for column in zip(*rows, strict=True))
    at = (NOW - days * DAY_MS).astype(np.int64)
    return Purchases(user.astype(np.int64), row.astype(np.int64), at, np.ones(len(rows)), users, items, NOW)


PAIRS = [(user, item, 10.0) for user in range(20) for item in (0, 1)]
PAIRS += [(user, item, 10.0) for user in range(20, 40) for item in (2, 3)]
PAIRS += [(user, 4, 10.0) for user in range(0, 40, 2)]


@pytest.mark.parametrize("method", ["ease", "cosine", "auto"])
def test_items_bought_by_the_same_people_are_neighbours(method: str) -> None:
    rows, scores = neighbours(purchases(PAIRS), 3, method, ease_lambda=1.0)
    assert rows.shape == scores.shape == (6, 3)
    assert rows[0, 0] == 1
    assert rows[3, 0] == 2
    assert rows[5].tolist() == [-1, -1, -1]  # nobody bought it
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(row not in rows[row] for row in range(6))


def test_ease_is_the_same_on_both_sides() -> None:
    many_users = neighbours(purchases(PAIRS), 3, "ease", 5.0)
    few = [(user, item, days) for user, item, days in PAIRS if user % 10 == 0]
    wide = purchases(few, users=40, items=6)
    rows, scores = neighbours(wide, 3, "ease", 5.0)  # four users, six items: the users' side
    matrix = np.zeros((40, 6))
    for user, item, _ in few:
        matrix[user, item] = 1.0
    inverse = np.linalg.inv(matrix.T @ matrix + 5.0 * np.eye(6))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    expected = weights[0, rows[0, 0]] / np.mean([weights[i].max() for i in range(6) if weights[i].max() > 0])
    assert scores[0, 0] == pytest.approx(expected, rel=1e-4)
    assert many_users[0].shape == rows.shape


def test_recent_purchases_count_more() -> None:
    scores = popular(purchases([(0, 0, 1.0), (1, 1, 200.0), (2, 1, 200.0)]))
    assert scores[0] > scores[1] > scores[2] == 0


def test_trending_is_growth_and_not_size() -> None:
    steady = [(user, 0, days) for user in range(40) for days in (3.0, 20.0)]
    growing = [(user, 1, 3.0) for user in range(20)]
    scores = trending(purchases(steady + growing))
    assert scores[1] > 0
    assert scores[0] == 0


def test_new_items_are_new() -> None:
    bought = purchases([(0, 0, 300.0), (0, 0, 1.0), (1, 1, 5.0)])
    unknown = np.full(6, np.nan)
    assert new_items(bought, unknown).nonzero()[0].tolist() == [1]
    listed = unknown.copy()
    listed[5] = NOW - 2 * DAY_MS
    assert new_items(bought, listed).nonzero()[0].tolist() == [1, 5]


def test_statistics_are_between_zero_and_one() -> None:
    stats = item_stats(purchases([*PAIRS, (0, 0, 3.0), (1, 0, 4.0)]))
    assert stats.shape == (6, len(STATS))
    assert stats.min() >= 0
    assert stats.max() <= 1
    assert stats[0, 3] > stats[1, 3] == 0  # item 0 was bought again by two


def test_bought_again_puts_staples_first(encoder: FeatureEncoder, context: UserContext) -> None:
    rows, scores = bought_again(encoder.summary(context), 10)
    assert rows.tolist() == [3, 4]  # clicks are no purchases
    assert scores[0] > scores[1]
    assert bought_again(encoder.summary(UserContext("", {}, [], NOW)), 10)[0].tolist() == []


def test_similar_items_are_not_those_of_the_history(table: ItemTable, encoder: FeatureEncoder) -> None:
    table.neighbours = np.array([[(row + 1) % 12, (row + 2) % 12, -1] for row in range(12)], np.int32)
    table.neighbour_scores = np.tile(np.array([1.0, 0.5, 0.0], np.float32), (12, 1))
    events = [Event(str(n), "purchase", NOW - 2 * DAY_MS) for n in (2, 3)]
    context = UserContext("u", {}, events, NOW)
    nothing = Segments((), np.empty(0, np.int64), *(np.empty((0, 0), np.float32) for _ in range(3)))
    snapshot = Snapshot("", table, np.empty((12, 0), np.float32), {}, nothing)
    found = item_to_item(Request(snapshot, context, encoder.summary(context), 10, lambda: 1.0))
    assert found.rows.tolist() == [4, 5]
    assert found.reason_rows.tolist() == [3, 3]
    assert (np.diff(found.scores) < 0).all()
