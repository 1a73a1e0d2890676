"""Limits of what callers may send, and messages to types and back."""

from __future__ import annotations

import time

import pytest
from ecrs.common.v1 import types_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.features import Event, UserContext
from engine.ids import NO_IDS, canonical_id
from engine.types import NO_FILTER, ItemFilter
from engine.vocabulary import LIVE_EVENT_TYPES, Degradation
from services.common.convert import (
    attributes_from_proto,
    context_from_proto,
    context_to_proto,
    degraded_from_proto,
    degraded_to_proto,
    event_type_name,
    event_type_number,
    filter_from_proto,
    filter_to_proto,
)
from services.common.validate import check_filter, check_id, decode_page_token, encode_page_token

pytestmark = pytest.mark.unit


def context(n: int) -> UserContext:
    events = [Event(f"item-{number}", "purchase", 1_700_000_000_000 - number) for number in range(n)]
    return UserContext("ann", {"age": "5", "tastes": ["tea", "rice"]}, events, 1_700_000_000_001)


def test_a_context_survives_the_message() -> None:
    found = context_from_proto(context_to_proto(context(1000), known=False))
    assert found.context == context(1000)
    assert not found.known


def test_a_context_without_a_time_is_of_now() -> None:
    message = context_to_proto(context(1))
    message.now_ms = 0
    assert abs(context_from_proto(message).context.now - time.time() * 1000) < 5_000


def test_a_number_in_a_context_becomes_the_text_that_features_are_made_of() -> None:
    message = pb.UserContext()
    message.profile.attributes["age"].number = 5.0
    assert context_from_proto(message).context.profile == {"age": "5"}


def test_columns_of_unequal_length_are_refused() -> None:
    message = context_to_proto(context(3))
    del message.event_at_ms[2]
    with pytest.raises(InvalidArgument, match=r"context\.event_item_ids: has 3 elements"):
        context_from_proto(message)


def test_too_many_events_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="allowed are at most 1000"):
        context_from_proto(context_to_proto(context(1001)))


def test_the_types_numbers_are_those_of_the_enum() -> None:
    for name in LIVE_EVENT_TYPES:
        number = event_type_number(name)
        assert pb.EventType.Name(number) == f"EVENT_TYPE_{name.upper()}"
        assert event_type_name("type", number) == name
    assert event_type_number("returned") == 0


@pytest.mark.parametrize("number", [0, -1, 10, 1000])
def test_event_types_that_are_none_are_refused(number: int) -> None:
    with pytest.raises(InvalidArgument, match="type: must be one of view, click"):
        event_type_name("type", number)


@pytest.mark.parametrize(
    "item_filter",
    [
        NO_FILTER,
        ItemFilter(price_min=0.0),
        ItemFilter(frozenset("ab"), frozenset("c"), 1.0, 2.0, frozenset("de"), True, True),
    ],
)
def test_a_filter_survives_the_message(item_filter: ItemFilter) -> None:
    assert filter_from_proto(filter_to_proto(item_filter)) == item_filter


@pytest.mark.parametrize(
    ("item_filter", "field"),
    [
        (ItemFilter(categories=frozenset(map(str, range(101)))), "categories"),
        (ItemFilter(brands=frozenset(["x" * 1025])), "brands"),
        (ItemFilter(exclude_item_ids=frozenset(map(str, range(1001)))), "exclude_item_ids"),
        (ItemFilter(price_min=-1.0), "price_min"),
        (ItemFilter(price_max=float("nan")), "price_max"),
        (ItemFilter(price_min=3.0, price_max=2.0), "price_min"),
    ],
)
def test_filters_over_their_limits_are_refused(item_filter: ItemFilter, field: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"filter\.{field}"):
        check_filter(item_filter)


def test_degradations_are_those_of_the_enum() -> None:
    everything = frozenset(Degradation)
    numbers = degraded_to_proto(everything)
    assert [pb.Degradation.Name(number) for number in numbers] == [
        f"DEGRADATION_{part.name}" for part in Degradation
    ]
    assert degraded_from_proto([*numbers, 99, 0]) == everything


def test_unset_attribute_values_are_unknown() -> None:
    profile = pb.UserProfile()
    profile.attributes["age"].SetInParent()
    profile.attributes["sex"].text = "2"
    assert attributes_from_proto(profile.attributes) == {"sex": "2"}


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=120))
def test_an_id_is_accepted_exactly_if_it_has_no_control_character_and_is_short(text: str) -> None:
    spelling = canonical_id(text)
    short = 0 < len(spelling.encode()) <= 256 and spelling not in NO_IDS
    allowed = short and not any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in spelling)
    try:
        accepted = check_id("id", text) == spelling
    except InvalidArgument:
        accepted = False
    assert accepted == allowed


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60))
def test_page_tokens_are_opaque_and_read_back(position: str) -> None:
    token = encode_page_token("users", position)
    assert decode_page_token("users", token) == position
    with pytest.raises(InvalidArgument, match="page_token"):
        decode_page_token("items", token)


@given(st.text(max_size=40))
def test_any_text_as_a_token_is_read_or_refused(text: str) -> None:
    try:
        position = decode_page_token("users", text)
    except InvalidArgument:
        return
    assert position or not text
