"""Training sees what serving will see, and nothing of the future."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.features import DAY_MS, Event, FeatureEncoder, ItemTable, UserContext
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.training.catalogue import build_schema, purchases_before, select_items, table_at
from models.training.config import QUICK, CatalogueConfig
from models.training.dataset import CatalogueEvents, DataFault, PreparedData, load_prepared
from models.training.samples import active_users, context_of, past_of, ranked_users, tower_samples
from tests.unit.models.prepared import ITEMS, START, USERS, write_prepared

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return load_prepared(write_prepared(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def base(data: PreparedData) -> ItemTable:
    schema = build_schema(data, data.records, QUICK)
    return ItemTable.from_records(schema, data.records, data.end)


@pytest.fixture(scope="module")
def events(data: PreparedData) -> CatalogueEvents:
    return CatalogueEvents(data, data.events.item)


def served_context(data: PreparedData, user: int, now: int) -> UserContext:
    """The user as a service has it: every event, newest first, also those after ``now``."""
    mine = slice(data.events.start[user], data.events.start[user + 1])
    columns = (data.events.item[mine], data.events.type[mine], data.events.at[mine])
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    ids = [*data.item_ids, "not in the catalogue"]  # index -1
    newest_first = [Event(ids[item], HISTORY_EVENT_TYPES[kind], at) for item, kind, at in reversed(rows)]
    return UserContext(data.user_ids[user], data.profiles[user], newest_first, now)


@pytest.mark.parametrize("user", [0, 1, 17, USERS - 1])
@pytest.mark.parametrize("days", [0.5, 40, 90, 125])
def test_training_features_are_serving_features(
    data: PreparedData, base: ItemTable, events: CatalogueEvents, user: int, days: float
) -> None:
    now = START + int(days * DAY_MS)
    table = table_at(base, purchases_before(events, len(base), now), QUICK)
    encoder = FeatureEncoder(base.schema, table)
    rows = np.arange(len(table))
    served = served_context(data, user, now)
    trained, past = context_of(events, user, now), past_of(events, encoder, user, now)
    for name, values in encoder.rank(served, rows).items():
        np.testing.assert_array_equal(values, encoder.rank(trained, rows, past)[name], err_msg=name)
    for name, values in encoder.user_tower(served).items():
        np.testing.assert_array_equal(values, encoder.user_tower(trained, past)[name], err_msg=name)


def test_statistics_and_neighbours_know_nothing_of_the_future(
    tmp_path: Path, data: PreparedData, base: ItemTable, events: CatalogueEvents
) -> None:
    cutoff = START + 60 * DAY_MS
    past_only = load_prepared(write_prepared(tmp_path), until=cutoff)
    known = CatalogueEvents(past_only, past_only.events.item)
    assert past_only.end <= cutoff < data.end
    full = table_at(base, purchases_before(events, len(base), cutoff), QUICK)
    less = table_at(base, purchases_before(known, len(base), cutoff), QUICK)
    np.testing.assert_array_equal(full.stats, less.stats)
    np.testing.assert_array_equal(full.neighbours, less.neighbours)


def test_positives_of_a_context_come_after_it(
    data: PreparedData, base: ItemTable, events: CatalogueEvents
) -> None:
    begin, end = START, START + 60 * DAY_MS
    encoder = FeatureEncoder(base.schema, base)
    samples = tower_samples(events, encoder, begin, end, QUICK, np.random.default_rng(0))
    assert len(samples.positives) > USERS
    taken_before_end = {row for user in range(USERS) for row in events.positives(user, begin, end).tolist()}
    assert set(samples.positives[samples.positives >= 0].tolist()) <= taken_before_end
    # A user's first purchase must be learnt from an empty purchase history.
    assert (samples.feeds["sequence_items"] >= 0).all()


def test_active_users_have_a_past_and_a_future(data: PreparedData, events: CatalogueEvents) -> None:
    assert len(active_users(events, data.begin, data.end)) == 0
    assert len(active_users(events, START + 60 * DAY_MS, data.end)) == USERS


def test_a_small_catalogue_is_kept_whole_and_a_large_one_cut(data: PreparedData) -> None:
    assert len(select_items(data, CatalogueConfig())) == ITEMS
    kept = select_items(data, CatalogueConfig(min_buyers=1, max_items=10, keep_all_below=0))
    assert len(kept) == 10
    assert (np.diff(kept) > 0).all()


def test_missing_data_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match=r"dataset\.toml: missing"):
        load_prepared(tmp_path)


def test_no_events_before_a_date_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="no events"):
        load_prepared(write_prepared(tmp_path), until=START - 10 * DAY_MS)


def test_of_many_active_users_the_same_few_are_drawn_each_time(
    data: PreparedData, events: CatalogueEvents
) -> None:
    begin = START + 60 * DAY_MS
    few = replace(QUICK, rank=replace(QUICK.rank, users=USERS // 3))
    drawn = ranked_users(events, begin, data.end, few)
    assert len(drawn) == USERS // 3
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, ranked_users(events, begin, data.end, few))
    np.testing.assert_array_equal(
        ranked_users(events, begin, data.end, QUICK), active_users(events, begin, data.end)
    )
