"""Common messages ↔ the types of `ports`, and what JSON in Redis holds of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ecrs.common.v1 import types_pb2 as pb

from engine.errors import InvalidArgument
from engine.features import EventColumns, UserContext
from engine.ids import canonical_ids
from engine.types import NO_FILTER, AttributeValue, ItemFilter, KnownContext, UserProfile, profile_features
from engine.vocabulary import ALL_CHANNELS, HISTORY_EVENT_TYPES, LIVE_EVENT_TYPES, MAX_HISTORY, Degradation
from services.common.validate import check_attributes, check_filter, check_id
from services.common.values import now_ms

if TYPE_CHECKING:
    from google.protobuf.internal.containers import MessageMap

_TYPE_NAMES = ("other", *LIVE_EVENT_TYPES)  # by the number of the proto enum
_TYPE_NUMBERS = {name: number for number, name in enumerate(_TYPE_NAMES)}
_CHANNEL_NUMBERS = {name: number for number, name in enumerate(ALL_CHANNELS, 1)}


def event_type_name(field: str, number: int) -> str:
    """The name of an event type that must be given. Raises InvalidArgument for 0 and unknown numbers."""
    if not 1 <= number < len(_TYPE_NAMES):
        raise InvalidArgument(field, f"must be one of {', '.join(LIVE_EVENT_TYPES)}, not number {number}")
    return _TYPE_NAMES[number]


def event_type_number(name: str) -> pb.EventType.ValueType:
    """The enum's value; 0 for a name it does not have."""
    return pb.EventType.ValueType(_TYPE_NUMBERS.get(name, 0))


def attributes_from_proto(
    attributes: Mapping[str, pb.Value], field: str = "attributes"
) -> dict[str, AttributeValue]:
    """Attributes of a message, within their limits; unset values are left out (unknown)."""
    result: dict[str, AttributeValue] = {}
    for name, value in attributes.items():
        kind = value.WhichOneof("kind")
        if kind == "text":
            result[name] = value.text
        elif kind == "number":
            result[name] = value.number
        elif kind == "texts":
            result[name] = tuple(value.texts.texts)
    if result:
        check_attributes(field, result)
    return result


def fill_attributes(target: MessageMap[str, pb.Value], attributes: Mapping[str, object]) -> None:
    """Set the attributes of a message; lists and tuples become texts."""
    for name, value in attributes.items():
        if isinstance(value, str):
            target[name].text = value
        elif isinstance(value, tuple | list):
            target[name].texts.texts.extend(value)
        elif isinstance(value, int | float):
            target[name].number = value


def profile_to_proto(profile: UserProfile) -> pb.UserProfile:
    """A stored profile as a message."""
    message = pb.UserProfile(user_id=profile.user_id)
    fill_attributes(message.attributes, profile.attributes)
    return message


def profile_from_proto(message: pb.UserProfile, field: str = "user") -> UserProfile:
    """A profile, its attributes within their limits. Its id is not checked: it may be absent."""
    return UserProfile(message.user_id, attributes_from_proto(message.attributes, f"{field}.attributes"))


def context_to_proto(context: UserContext, *, known: bool = True) -> pb.UserContext:
    """A context as a message; event types that no enum value stands for become UNSPECIFIED."""
    events = context.columns
    message = pb.UserContext(
        event_item_ids=events.item_ids,
        event_types=events.types.tolist(),  # codes of types are the enum's numbers
        event_at_ms=events.at.tolist(),
        now_ms=context.now,
        known=known,
    )
    message.profile.user_id = context.user_id
    fill_attributes(message.profile.attributes, context.profile)
    return message


def context_from_proto(message: pb.UserContext, field: str = "context") -> KnownContext:
    """A context. Raises InvalidArgument if its columns differ in length or are too long.

    `now_ms` 0 becomes this machine's clock.
    """
    ids, types, at = message.event_item_ids, message.event_types, message.event_at_ms
    if not len(ids) == len(types) == len(at):
        raise InvalidArgument(
            f"{field}.event_item_ids",
            f"has {len(ids)} elements, event_types {len(types)}, event_at_ms {len(at)}: they must be equal",
        )
    if len(ids) > MAX_HISTORY:
        raise InvalidArgument(
            f"{field}.event_item_ids", f"has {len(ids)} elements, allowed are at most {MAX_HISTORY}"
        )
    user_id = message.profile.user_id
    if user_id:
        user_id = check_id(f"{field}.profile.user_id", user_id)
    profile = profile_features(
        attributes_from_proto(message.profile.attributes, f"{field}.profile.attributes")
    )
    codes = np.fromiter(types, np.int64, len(types))
    codes[(codes < 0) | (codes >= len(HISTORY_EVENT_TYPES))] = 0
    events = EventColumns(
        list(canonical_ids(list(ids))), codes.astype(np.int8), np.fromiter(at, np.int64, len(at))
    )
    if message.now_ms:
        context = UserContext(user_id, profile, events, message.now_ms)
    else:
        context = UserContext.at_request(user_id, profile, events, now_ms())
    return KnownContext(context, message.known)


def filter_to_proto(item_filter: ItemFilter) -> pb.ItemFilter:
    """A filter as a message; sets in sorted order, so that equal filters are equal bytes."""
    return pb.ItemFilter(
        categories=sorted(item_filter.categories),
        brands=sorted(item_filter.brands),
        price_min=item_filter.price_min,
        price_max=item_filter.price_max,
        exclude_item_ids=sorted(item_filter.exclude_item_ids),
        exclude_purchased=item_filter.exclude_purchased,
        include_unavailable=item_filter.include_unavailable,
    )


def filter_from_proto(message: pb.ItemFilter, field: str = "filter") -> ItemFilter:
    """A filter within its limits."""
    if not message.ListFields():
        return NO_FILTER
    return check_filter(
        ItemFilter(
            categories=frozenset(message.categories),
            brands=frozenset(message.brands),
            price_min=message.price_min if message.HasField("price_min") else None,
            price_max=message.price_max if message.HasField("price_max") else None,
            exclude_item_ids=frozenset(message.exclude_item_ids),
            exclude_purchased=message.exclude_purchased,
            include_unavailable=message.include_unavailable,
        ),
        field,
    )


def degraded_to_proto(degraded: Iterable[Degradation]) -> list[pb.Degradation.ValueType]:
    """Flags in the enum's order."""
    return [pb.Degradation.ValueType(part.value) for part in sorted(degraded, key=lambda part: part.value)]


def degraded_from_proto(values: Sequence[int]) -> frozenset[Degradation]:
    """Flags; those of a newer contract than ours are left out."""
    known = {part.value for part in Degradation}
    return frozenset(Degradation(value) for value in values if value in known)


def channel_to_proto(name: str) -> pb.Channel.ValueType:
    """A recall channel as the enum."""
    return pb.Channel.ValueType(_CHANNEL_NUMBERS[name])


def channels_from_proto(names: Iterable[str], numbers: Sequence[int]) -> tuple[str, ...]:
    """The channels that a request names, then those it gives by number only; names are not checked here.

    Raises InvalidArgument for a number that the enum does not have.
    """
    for at, number in enumerate(numbers):
        if not 1 <= number <= len(ALL_CHANNELS):
            raise InvalidArgument(f"recall_channels[{at}]", f"has no channel with the number {number}")
    named = tuple(names)
    return (*named, *(name for number in numbers if (name := ALL_CHANNELS[number - 1]) not in named))


def optional_int(message: object, field: str, default: int) -> int:
    """An `optional int32` field: its value, 0 and below included, or the default when not set."""
    value: int = getattr(message, field) if message.HasField(field) else default  # type: ignore[attr-defined]
    return value
