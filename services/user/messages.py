"""User events ↔ messages of `ecrs.user.v1`."""

from __future__ import annotations

from ecrs.user.v1 import user_service_pb2 as pb

from engine.types import UserEvent
from engine.vocabulary import LIVE_EVENT_TYPES
from services.common.convert import event_type_name, event_type_number


def event_to_proto(event: UserEvent) -> pb.UserEvent:
    """An event as a message; a type that no enum value stands for becomes UNSPECIFIED."""
    return pb.UserEvent(
        user_id=event.user_id,
        item_id=event.item_id,
        type=event_type_number(event.type),
        at_ms=event.at_ms,
        value=event.value,
        attribution_token=event.attribution_token,
        event_id=event.event_id,
    )


def event_from_proto(message: pb.UserEvent, field: str) -> UserEvent:
    """An event to record. Raises InvalidArgument for a type that is not given or not known."""
    return _event(message, event_type_name(f"{field}.type", message.type))


def stored_event_from_proto(message: pb.UserEvent) -> UserEvent:
    """An event as stored, whose type may be "other": what the data had beside the live types."""
    known = 1 <= message.type <= len(LIVE_EVENT_TYPES)
    return _event(message, LIVE_EVENT_TYPES[message.type - 1] if known else "other")


def _event(message: pb.UserEvent, kind: str) -> UserEvent:
    return UserEvent(
        user_id=message.user_id,
        item_id=message.item_id,
        type=kind,
        at_ms=message.at_ms,
        value=message.value,
        attribution_token=message.attribution_token,
        event_id=message.event_id,
    )
