"""The user service's logic: checks, and the merge of what was loaded with what just happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from engine.errors import InvalidArgument, NotFound
from engine.features import EventColumns, UserContext, canonical
from engine.types import AttributeValue, KnownContext, UserEvent, UserProfile, profile_features
from engine.vocabulary import IMPRESSION, LIVE_EVENT_TYPES, MAX_HISTORY
from services.common.validate import (
    check_attributes,
    check_count,
    check_id,
    check_ids,
    check_name,
    check_number,
    check_text,
    coerced_page_size,
    decode_page_token,
    encode_page_token,
)
from services.common.values import now_ms
from services.user.codec import StoredEvent
from services.user.history import merge, merge_columns

Row = Mapping[str, str | list[str]]
"""A stored profile: features by name, without the id."""

MAX_TOKEN_BYTES = 256
MAX_EVENT_ID_BYTES = 128
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class UserSchema:
    """The user features of the loaded dataset."""

    names: frozenset[str]
    numbers: frozenset[str] = frozenset()


EventsT = TypeVar("EventsT", list[StoredEvent], EventColumns)


@dataclass(frozen=True, slots=True)
class Activity(Generic[EventsT]):
    """What is stored of a user; events newest first."""

    row: Row | None
    history: EventsT
    live: EventsT


class Impression(NamedTuple):
    """That an item was shown to a user, at `at_ms`, in the list of the token."""

    user_id: str
    item_id: str
    attribution_token: str
    at_ms: int


class UserStore(Protocol):
    """Where users are kept. All raise Unavailable when the store does not answer."""

    def schema(self) -> UserSchema | None: ...

    def rows(self, user_ids: Sequence[str]) -> list[Row | None]: ...

    def activity(self, user_id: str) -> Activity[list[StoredEvent]]: ...

    def columns(self, user_id: str) -> Activity[EventColumns]: ...

    def write(self, rows: Mapping[str, Row]) -> None: ...

    def ids_after(self, user_id: str, count: int) -> list[str]: ...

    def append(
        self, events: Mapping[str, Sequence[StoredEvent]], impressions: Sequence[Impression] = ()
    ) -> int: ...

    def delete(self, user_id: str) -> bool: ...


class UserService:
    """Implements `services.common.ports.UserPort` over a store.

    `timeout_s` is the port's; the store's own time limit (a quarter of a second) is what bounds a call here.
    """

    def __init__(self, store: UserStore) -> None:
        self._store = store

    def get_user(self, user_id: str, timeout_s: float) -> UserProfile:
        """The profile of one user. Raises NotFound."""
        user_id = check_id("user_id", user_id)
        (row,) = self._store.rows([user_id])
        if row is None:
            raise NotFound(f"there is no user {user_id!r}")
        return self._profile(user_id, row)

    def batch_get_users(
        self, user_ids: Sequence[str], timeout_s: float
    ) -> tuple[list[UserProfile], list[str]]:
        """Profiles in the order asked for, and the ids that are not stored."""
        ids = check_ids("user_ids", user_ids)
        return self._split(ids)

    def list_users(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[UserProfile], str]:
        """A page of users in the order of their ids, and the next page's token."""
        page_size = coerced_page_size(page_size)
        ids = self._store.ids_after(decode_page_token("users", page_token), page_size + 1)
        page = ids[:page_size]
        found, _ = self._split(page) if page else ([], [])
        return found, encode_page_token("users", page[-1]) if len(ids) > page_size else ""

    def upsert_users(self, users: Sequence[UserProfile], timeout_s: float) -> int:
        """Create or replace profiles; all are checked before the first is written."""
        check_count("users", users)
        schema = self._store.schema()
        allowed = None if schema is None else schema.names
        rows: dict[str, Row] = {}
        for at, user in enumerate(users):
            user_id = check_id(f"users[{at}].user_id", user.user_id)
            check_attributes(f"users[{at}].attributes", user.attributes, allowed)
            if "user_id" in user.attributes:
                raise InvalidArgument(f"users[{at}].attributes.user_id", "is not an attribute")
            rows[user_id] = profile_features(user.attributes)
        self._store.write(rows)
        return len(rows)

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext:
        """Profile and newest events of a user; known=False and empty for one that is not stored."""
        user_id = check_id("user_id", user_id)
        max_events = coerced_page_size(max_events, "max_events", default=MAX_HISTORY, most=MAX_HISTORY)
        activity = self._store.columns(user_id)
        events = merge_columns(activity.history, activity.live)[:max_events]
        profile = {
            name: value if isinstance(value, str) else list(value)
            for name, value in (activity.row or {}).items()
        }
        context = UserContext.at_request(user_id, profile, events, now_ms())
        return KnownContext(context, known=activity.row is not None or len(events) > 0)

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int:
        """Store events; all are checked before the first is stored. How many were new.

        Impressions go to a place of their own: whoever is shown a thousand items has done nothing yet.
        """
        check_count("events", events)
        now = now_ms()
        by_user: dict[str, list[StoredEvent]] = {}
        impressions: list[Impression] = []
        for at, event in enumerate(events):
            user_id, checked = _checked(f"events[{at}]", event, now)
            if event.type == IMPRESSION:
                impressions.append(
                    Impression(user_id, checked.item_id, event.attribution_token, checked.at_ms)
                )
            else:
                by_user.setdefault(user_id, []).append(checked)
        return self._store.append(by_user, impressions)

    def list_user_events(
        self, user_id: str, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserEvent], str]:
        """A page of a user's events, newest first, and the next page's token.

        The token is a place in time: events that come in between pages do not shift what follows.
        """
        user_id = check_id("user_id", user_id)
        page_size = coerced_page_size(page_size)
        until, shown = _event_position(decode_page_token("events", page_token))
        activity = self._store.activity(user_id)
        events = merge(activity.history, activity.live)
        if until is not None:
            newer = sum(event.at_ms > until for event in events)
            events = events[newer:][shown:] if shown else events[newer:]
        page = events[:page_size]
        token = ""
        if len(events) > page_size:
            last = page[-1].at_ms
            same = sum(event.at_ms == last for event in page) + (shown if last == until else 0)
            token = encode_page_token("events", f"{last},{same}")
        return [_user_event(user_id, event) for event in page], token

    def delete_user(self, user_id: str, timeout_s: float) -> bool:
        """Forget a user: profile, history and events. Whether anything was stored.

        Impressions are not looked for: they go as newer ones come.
        """
        user_id = check_id("user_id", user_id)
        return self._store.delete(user_id)

    def _split(self, ids: Sequence[str]) -> tuple[list[UserProfile], list[str]]:
        found: list[UserProfile] = []
        missing: list[str] = []
        for user_id, row in zip(ids, self._store.rows(ids), strict=True):
            if row is None:
                missing.append(user_id)
            else:
                found.append(self._profile(user_id, row))
        return found, missing

    def _profile(self, user_id: str, row: Row) -> UserProfile:
        schema = self._store.schema()
        numbers = schema.numbers if schema is not None else frozenset()
        return UserProfile(user_id, {name: _value(value, name in numbers) for name, value in row.items()})


def _checked(path: str, event: UserEvent, now: int) -> tuple[str, StoredEvent]:
    """Whose event it is, and what is stored of it."""
    user_id = check_id(f"{path}.user_id", event.user_id)
    item_id = check_id(f"{path}.item_id", event.item_id)
    if event.type not in LIVE_EVENT_TYPES:
        raise InvalidArgument(f"{path}.type", f"must be one of {', '.join(LIVE_EVENT_TYPES)}")
    if not 0 <= event.at_ms <= now + _DAY_MS:
        raise InvalidArgument(
            f"{path}.at_ms", f"must be 0 (now) to a day from now in milliseconds, not {event.at_ms}"
        )
    check_number(f"{path}.value", event.value)
    for name, text, most in (
        ("attribution_token", event.attribution_token, MAX_TOKEN_BYTES),
        ("event_id", event.event_id, MAX_EVENT_ID_BYTES),
    ):
        if text:
            check_text(f"{path}.{name}", text, most)
            check_name(f"{path}.{name}", text)
    return user_id, StoredEvent(
        item_id,
        event.type,
        event.at_ms or now,
        event.value,
        event.attribution_token,
        event.event_id,
    )


def _user_event(user_id: str, event: StoredEvent) -> UserEvent:
    return UserEvent(
        user_id, event.item_id, event.type, event.at_ms, event.value, event.attribution_token, event.event_id
    )


def _event_position(position: str) -> tuple[int | None, int]:
    """Time of the last event shown, and how many of that time were."""
    if not position:
        return None, 0
    at, _, shown = position.partition(",")
    if not (at.isdecimal() and shown.isdecimal()):
        raise InvalidArgument("page_token", "is not a token of an earlier response of this call")
    return int(at), int(shown)


def _value(value: str | list[str], number: bool) -> AttributeValue:
    if isinstance(value, list):
        return tuple(value)
    if number:
        try:
            return float(canonical(value))
        except ValueError:  # loaded as text that is none: better shown than lost
            return value
    return value
