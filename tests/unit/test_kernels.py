"""The compiled kernels give what numpy defines, within 1e-6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine import kernels
from engine.dataset import dataset_of
from engine.features import FeatureSchema, HistorySummary, ItemTable
from engine.features.context import History
from engine.features.cross import cross_features, cross_names
from engine.features.table import STATS
from engine.vocabulary import EVENT_CODE, HISTORY_EVENT_TYPES

pytestmark = pytest.mark.unit

N_ITEMS, WIDTH = 120, 9
DATASET = {
    "dataset": {"name": "kernels", "title": "Kernels"},
    "events": {"positive": ["purchase", "rate"]},
    "user_feature": [{"name": "age"}],
}


def make_table(neighbours: bool = True) -> ItemTable:
    rng = np.random.default_rng(3)
    records = [
        {
            "item_id": f"i{row}",
            "category_path": [f"d{row % 3}", f"c{row % 11}"] if row % 17 else [],
            "brand": f"b{row % 7}" if row % 5 else None,
            "shop": "s",
            "price": None if row % 6 == 0 else 0.0 if row % 13 == 0 else float(rng.lognormal(1, 2)),
        }
        for row in range(N_ITEMS)
    ]
    schema = FeatureSchema.from_dataset(
        dataset_of(DATASET), category_levels=2, n_item_ids=N_ITEMS, neighbour_items=12
    )
    table = ItemTable.from_records(schema, records, 1_000_000)
    table.stats[:] = rng.random((N_ITEMS, len(STATS)), np.float32)
    if neighbours:
        # The last ten items are newer than the neighbours; some places are empty.
        table.neighbours = rng.integers(-1, N_ITEMS, (N_ITEMS - 10, WIDTH)).astype(np.int32)
        table.neighbour_scores = np.where(table.neighbours < 0, 0, rng.random(table.neighbours.shape)).astype(
            np.float32
        )
    return table


TABLE, LONELY = make_table(), make_table(neighbours=False)

Event = tuple[int, int, float]  # row, type, age
events_of = st.lists(
    st.tuples(
        st.integers(-1, N_ITEMS - 1),
        st.integers(0, len(HISTORY_EVENT_TYPES) - 1),
        # Few values, so that events share a moment, and any value.
        st.one_of(st.sampled_from([0.25, 1.0, 27.9, 28.0, 364.0, 400.0]), st.floats(1e-6, 3_000.0)),
    ),
    max_size=60,
)
DISLIKED = [
    (5, EVENT_CODE["dislike"], 2.0),
    (5, EVENT_CODE["purchase"], 3.0),
    (6, EVENT_CODE["dislike"], 4.0),
]


@pytest.fixture(autouse=True)
def numpy_again() -> Iterator[None]:
    """Leave the process as other tests expect it."""
    yield
    kernels.unload()


def history_of(events: list[Event]) -> History:
    rows, types, ages = (
        zip(*sorted(events, key=lambda event: event[2]), strict=True) if events else ((), (), ())
    )
    return History(np.array(rows, np.int64), np.array(types, np.int8), np.array(ages, np.float64))


def both_ways(
    table: ItemTable, history: History, rows: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the summary tells and the features, by numpy and compiled."""
    results = []
    for compiled in (False, True):
        assert kernels.load() if compiled else not kernels.unload()
        past = HistorySummary(table.schema, table, history)
        assert (past.facts is not None) == compiled
        told = [
            past.items,
            past.long_weight,
            past.short_weight,
            past.strongest(20),
            past.positive,
            past.decay,
        ]
        results.append([*told, past.inverse, cross_features(table.schema, table, past, rows)])
    return results[0], results[1]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=events_of,
    candidates=st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=40),
    lonely=st.booleans(),
)
@example(events=[], candidates=[0, 1], lonely=False)
@example(events=[(-1, 4, 1.0), (-1, 1, 1.0)], candidates=[3], lonely=False)  # nothing that is known
@example(events=[(7, 4, 1.0)], candidates=[7, 8], lonely=False)
@example(events=[(7, 4, 1.0)] * 3 + [(8, 4, 1.0)] * 2, candidates=[7, 8, 7], lonely=False)  # one moment
@example(events=DISLIKED, candidates=[5, 6], lonely=True)
def test_a_history_and_its_features_are_the_same_compiled(
    events: list[Event], candidates: list[int], lonely: bool
) -> None:
    by_numpy, compiled = both_ways(
        LONELY if lonely else TABLE, history_of(events), np.array(candidates, np.int64)
    )
    for expected, found in zip(by_numpy, compiled, strict=True):
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_features_of_a_full_history_are_the_same_compiled() -> None:
    rng = np.random.default_rng(11)
    size = 1_000
    history = History(
        rng.integers(-1, N_ITEMS, size),
        rng.integers(0, len(HISTORY_EVENT_TYPES), size).astype(np.int8),
        np.sort(np.round(rng.random(size) * 200)),
    )
    by_numpy, compiled = both_ways(TABLE, history, rng.permutation(N_ITEMS))
    np.testing.assert_allclose(compiled[-1], by_numpy[-1], rtol=0, atol=1e-6)
    varied = compiled[-1].max(axis=0) > compiled[-1].min(axis=0)
    named = dict(zip(cross_names(TABLE.schema), varied.tolist(), strict=True))
    assert sum(named.values()) > 40, named  # the comparison is one of numbers, not of zeros


def test_columns_that_are_reversed_views_are_taken_as_they_are() -> None:
    rows, ages = np.array([3, 7, 3], np.int64), np.array([9.0, 2.0, 1.0])
    types = np.full(3, EVENT_CODE["purchase"], np.int8)
    backwards = History(rows[::-1], types[::-1], ages[::-1])
    assert not backwards.rows.flags.c_contiguous
    for one, other in zip(*both_ways(TABLE, backwards, np.arange(N_ITEMS)[::-1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_another_type_is_refused_and_never_compiled_in_a_request() -> None:
    assert kernels.load()
    history = history_of([(1, 4, 1.0)])
    past = HistorySummary(TABLE.schema, TABLE, history)
    narrow = replace(TABLE, features=TABLE.features.astype(np.int32))
    with pytest.raises(TypeError, match="No matching definition"):
        cross_features(TABLE.schema, narrow, past, np.arange(3))
