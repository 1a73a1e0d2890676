"""Events as columns say what the events themselves say, wherever they are read, merged, sent and encoded."""

from __future__ import annotations

import numpy as np
import pytest
from ecrs.common.v1 import types_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from engine.features import Event, EventColumns, FeatureEncoder, UserContext
from engine.features.context import ages_in_days
from engine.vocabulary import HISTORY_EVENT_TYPES, MAX_HISTORY
from services.common import convert
from services.user.codec import StoredEvent, pack, unpack_columns
from services.user.history import merge, merge_columns
from services.user.live_events import newest_first, newest_first_columns

pytestmark = pytest.mark.unit

IDS = st.sampled_from(["5", "tea", "Grüner Tee", "007", "a b"])  # few, so that events are equal now and then
TYPES = st.sampled_from(HISTORY_EVENT_TYPES)
EVENTS = st.lists(st.builds(Event, IDS, TYPES, st.integers(0, 20)), max_size=20)
STORED = st.lists(
    st.builds(
        StoredEvent, IDS, TYPES, st.integers(0, 20), st.just(1.0), st.just("") | IDS, st.just("") | IDS
    ),
    max_size=20,
)
MEMBERS = st.lists(
    st.builds(lambda number, event: (number, event), st.integers(0, 2**63 - 1), STORED.filter(bool)),
    max_size=10,
    unique_by=lambda pair: pair[0],
)


class Schema:
    """As much of a schema as a history needs."""

    history_length = 7


class Table:
    """As much of an item table as a history needs: the row of an id is its length, "tea" is unknown."""

    data_end = 5

    def row_of(self, ids: list[str]) -> np.ndarray:
        return np.array([-1 if one == "tea" else len(one) for one in ids], np.int64)


def plain(events: list[StoredEvent]) -> list[Event]:
    return [Event(*event[:3]) for event in events]


def newest_of(events: list[StoredEvent]) -> list[StoredEvent]:
    return sorted(events, key=lambda event: -event.at_ms)


@given(EVENTS, st.integers(-25, 25), st.integers(-25, 25))
def test_columns_are_a_sequence_of_the_events(events: list[Event], start: int, stop: int) -> None:
    columns = EventColumns.of(events)
    assert columns == events
    assert events == columns
    assert len(columns) == len(events)
    assert list(columns[start:stop]) == events[start:stop]
    assert [columns[place] for place in range(len(events))] == events
    assert columns.followed_by(columns[:3]) == [*events, *events[:3]]
    assert EventColumns.of(columns) is columns
    assert all(isinstance(event.at, int) for event in columns)


def test_a_type_that_is_not_known_is_other() -> None:
    assert EventColumns.of([Event("5", "returned", 1)])[0].type == "other"


@given(STORED)
def test_packed_events_are_read_as_columns(events: list[StoredEvent]) -> None:
    assert unpack_columns(pack(events)) == plain(events)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x01",
        b"\x02\x00\x00\x00\x00",
        b"{}",
        pack([StoredEvent("tea", "view", 1)])[:-9],
        pack([StoredEvent("tea\nrice", "view", 1)]),
        pack([StoredEvent("tea", "view", 1)]).replace(b"\x01\x00\x00\x00\x00\x00\x00\x00\x01", b"\xff" * 9),
    ],
)
def test_what_is_not_packed_events_is_a_value_error(blob: bytes) -> None:
    with pytest.raises(ValueError, match="packed events"):
        unpack_columns(blob)


@given(STORED, STORED)
def test_columns_are_merged_as_events_are(history: list[StoredEvent], live: list[StoredEvent]) -> None:
    history, live = newest_of(history), newest_of(live)
    merged = merge_columns(EventColumns.of(plain(history)), EventColumns.of(plain(live)))
    assert merged == plain(merge(history, live))


def test_merged_columns_keep_what_was_bought_before_what_was_browsed() -> None:
    views = EventColumns.of([Event(str(at), "view", at) for at in range(3 * MAX_HISTORY, MAX_HISTORY, -1)])
    bought = EventColumns.of([Event(str(at), "purchase", at) for at in range(MAX_HISTORY, 0, -1)])
    merged = merge_columns(bought, views)
    assert len(merged) == MAX_HISTORY
    assert merged[: MAX_HISTORY // 2] == views[: MAX_HISTORY // 2]
    assert merged[MAX_HISTORY // 2 :] == bought[: MAX_HISTORY // 2]


@given(MEMBERS, MEMBERS)
def test_live_events_are_read_as_columns_in_the_order_of_events(
    acts: list[tuple[int, list[StoredEvent]]], views: list[tuple[int, list[StoredEvent]]]
) -> None:
    def answer(members: list[tuple[int, list[StoredEvent]]]) -> list[bytes]:
        """As Redis answers: by time and then by member, greatest first."""
        found = [
            (events[0].at_ms, number.to_bytes(8, "big") + pack(events[:1])) for number, events in members
        ]
        return [member for _, member in sorted(found, reverse=True)]

    acts_answer, views_answer = answer(acts), answer(views)
    columns = newest_first_columns(acts_answer, views_answer, pytest.fail)
    times = [event.at for event in columns]
    assert times == sorted(times, reverse=True)
    numbers = [number for number, _ in (*acts, *views)]
    if len(set(numbers)) == len(numbers):  # as Redis gives them
        assert columns == plain(newest_first(acts_answer, views_answer))


def test_an_unreadable_live_event_is_told_and_left_out() -> None:
    good = bytes(8) + pack([StoredEvent("tea", "view", 1)])
    problems: list[ValueError] = []
    assert newest_first_columns([b"nonsense", good], [], problems.append) == [Event("tea", "view", 1)]
    assert len(problems) == 1


@given(EVENTS)
def test_a_context_travels_as_columns(events: list[Event]) -> None:
    given_ = UserContext("ann", {"age": "2"}, events, 30)
    sent = convert.context_to_proto(UserContext("ann", {"age": "2"}, EventColumns.of(events), 30))
    assert sent == convert.context_to_proto(given_)
    read = convert.context_from_proto(pb.UserContext.FromString(sent.SerializeToString()))
    assert read.context == given_


@pytest.mark.parametrize("number", [-1, 9, 1_000])
def test_an_event_type_of_a_newer_contract_is_other(number: int) -> None:
    message = pb.UserContext(event_item_ids=["5"], event_types=[number], event_at_ms=[3], now_ms=4)  # type: ignore[list-item]
    assert convert.context_from_proto(message).context.events == [Event("5", "other", 3)]


@given(EVENTS, st.integers(0, 25))
def test_a_history_is_that_of_the_events_before_now(events: list[Event], now: int) -> None:
    encoder = FeatureEncoder.__new__(FeatureEncoder)
    encoder.schema, encoder.table = Schema(), Table()  # type: ignore[assignment]
    past = sorted((event for event in events if event.at < now), key=lambda event: -event.at)
    past = past[: Schema.history_length]
    for given_ in (events, EventColumns.of(events)):
        history = encoder.history(UserContext("ann", {}, given_, now))
        assert history.rows.tolist() == Table().row_of([event.item_id for event in past]).tolist()
        assert [HISTORY_EVENT_TYPES[code] for code in history.types] == [event.type for event in past]
        at = np.array([event.at for event in past], np.int64)
        assert history.ages.tolist() == ages_in_days(at, now, Table.data_end).tolist()
