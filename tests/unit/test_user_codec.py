"""Packed events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.vocabulary import HISTORY_EVENT_TYPES
from services.user.codec import StoredEvent, pack, unpack
from services.user.history import keep_newest, merge

pytestmark = pytest.mark.unit

# ids as the services accept them: no control characters
IDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
EVENTS = st.builds(
    StoredEvent,
    item_id=IDS,
    type=st.sampled_from(HISTORY_EVENT_TYPES),
    at_ms=st.integers(0, 2**62),
    value=st.floats(allow_nan=False),
    attribution_token=st.just("") | IDS,
    event_id=st.just("") | IDS,
)


@given(st.lists(EVENTS, max_size=30))
def test_events_are_unpacked_as_they_were_packed(events: list[StoredEvent]) -> None:
    assert unpack(pack(events)) == events


def test_an_unknown_type_becomes_other() -> None:
    assert unpack(pack([StoredEvent("tea", "returned", 1)]))[0].type == "other"


@pytest.mark.parametrize(
    "blob", [b"", b"\x01", b"\x02\x00\x00\x00\x00", b"{}", pack([StoredEvent("tea", "view", 1)])[:-9]]
)
def test_what_is_not_packed_events_is_a_value_error(blob: bytes) -> None:
    with pytest.raises(ValueError, match="packed events"):
        unpack(blob)


@given(st.lists(EVENTS, max_size=20), st.lists(EVENTS, max_size=20))
def test_merged_events_are_newest_first_and_none_is_lost(
    history: list[StoredEvent], live: list[StoredEvent]
) -> None:
    history = sorted(history, key=lambda event: -event.at_ms)
    merged = merge(history, live)
    times = [event.at_ms for event in merged]
    assert times == sorted(times, reverse=True)
    assert {event[:3] for event in merged} == {event[:3] for event in (*history, *live)}


def test_browsing_gives_way_to_other_events_up_to_half_of_the_places() -> None:
    def of(kind: str, times: range) -> list[StoredEvent]:
        return [StoredEvent(f"{kind}{at}", kind, at) for at in reversed(times)]

    views, bought = of("view", range(100, 120)), of("purchase", range(10))
    assert keep_newest(views + bought, 20) == views[:10] + bought
    assert keep_newest(views + bought, 30) == views + bought
    assert keep_newest(views + bought, 8) == views[:4] + bought[:4]
    assert keep_newest(bought + of("view", range(-20, 0)), 8) == bought[:8]
    mixed = sorted(of("cart", range(100, 120, 4)) + views, key=lambda event: -event.at_ms)
    kept = keep_newest(mixed + bought, 10)
    assert [event.type for event in kept].count("view") == 5
    assert kept == sorted(kept, key=lambda event: -event.at_ms)
