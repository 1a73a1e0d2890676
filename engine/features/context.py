"""What is known of a user at a moment, as rows and as columns, and the clock it is read by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from engine.vocabulary import EVENT_CODE, HISTORY_EVENT_TYPES

DAY_MS = 86_400_000
LIVE_GAP_MS = DAY_MS  # how far after a release's data the present may seem to be
SKEW_MS = 3_600_000  # how far ahead of our clock another machine's event may be and still count


class Event(NamedTuple):
    """One thing a user did. ``at``: milliseconds since the epoch, UTC."""

    item_id: str
    type: str
    at: int


class EventColumns(Sequence[Event]):
    """Events as columns of equal length n; as a sequence, an `Event` is made when it is asked for.

    ``item_ids``: n texts; ``types``: int8 [n], place in ``HISTORY_EVENT_TYPES``, a type not listed
    there being "other"; ``at``: int64 [n], milliseconds since the epoch, UTC. Never changed.
    """

    __slots__ = ("at", "item_ids", "types")

    def __init__(
        self, item_ids: Sequence[str], types: npt.NDArray[np.int8], at: npt.NDArray[np.int64]
    ) -> None:
        self.item_ids, self.types, self.at = item_ids, types, at

    @classmethod
    def of(cls, events: Sequence[Event]) -> EventColumns:
        """The columns of events; themselves if they are columns already."""
        if isinstance(events, EventColumns):
            return events
        code = EVENT_CODE.get
        return cls(
            [event[0] for event in events],
            np.array([code(event[1], 0) for event in events], np.int8),
            np.array([event[2] for event in events], np.int64),
        )

    def take(self, places: npt.NDArray[np.int64]) -> EventColumns:
        """The events at these places, in their order."""
        ids = self.item_ids
        return EventColumns([ids[place] for place in places.tolist()], self.types[places], self.at[places])

    def followed_by(self, older: EventColumns) -> EventColumns:
        """These events and then the others."""
        if not len(self) or not len(older):
            return self if len(self) else older
        return EventColumns(
            [*self.item_ids, *older.item_ids],
            np.concatenate([self.types, older.types]),
            np.concatenate([self.at, older.at]),
        )

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, place: int) -> Event: ...

    @overload
    def __getitem__(self, place: slice) -> EventColumns: ...

    def __getitem__(self, place: int | slice) -> Event | EventColumns:
        if isinstance(place, slice):
            return EventColumns(self.item_ids[place], self.types[place], self.at[place])
        return Event(self.item_ids[place], HISTORY_EVENT_TYPES[self.types[place]], int(self.at[place]))

    def __iter__(self) -> Iterator[Event]:
        names = (HISTORY_EVENT_TYPES[code] for code in self.types.tolist())
        return map(Event, self.item_ids, names, self.at.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"EventColumns.of({list(self)!r})"


@dataclass(frozen=True)
class UserContext:
    """All that is personal in a recommendation.

    ``events``: newest first; only those strictly before ``now`` count, and of them the newest
    ``schema.history_length``. ``now``: milliseconds since the epoch, UTC.
    """

    user_id: str
    profile: Mapping[str, str | list[str]]
    events: Sequence[Event]
    now: int

    @cached_property
    def columns(self) -> EventColumns:
        """The events as columns."""
        return EventColumns.of(self.events)

    @cached_property
    def memo(self) -> dict[object, object]:
        """What was computed of this context, by what computed it: stages of one process do it once."""
        return {}

    @classmethod
    def at_request(
        cls, user_id: str, profile: Mapping[str, str | list[str]], events: Sequence[Event], now: int
    ) -> UserContext:
        """The context of a request at ``now``: an event just recorded counts, even if another machine's
        clock runs up to an hour ahead of ours."""
        newest = events[0].at if events else 0
        return cls(user_id, profile, events, newest + 1 if now <= newest <= now + SKEW_MS else now)


@dataclass(frozen=True)
class History:
    """A context's events as columns of equal length, newest first, on the model's clock.

    ``rows``: int64, rows of the table, -1 = not in it; ``types``: int8, place in ``HISTORY_EVENT_TYPES``;
    ``ages``: float64, days before now, > 0.
    """

    rows: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8]
    ages: npt.NDArray[np.float64]


def ages_in_days(at: npt.NDArray[np.int64], now: int, data_end: int) -> npt.NDArray[np.float64]:
    """Ages of events on the model's clock: **the one place where real time meets a dataset's time.**

    While now is within a day of ``data_end`` (the end of the data the release was trained on), or before it
    (training, replays), an age is just ``now - at``. Later, as with a demo dataset of years ago, the
    dataset's clock is stopped one day after its end: an event of the data is ``data_end + 1 day - at`` old,
    a live event keeps its real age up to that one day. So a live event is always newer than any event of
    the data, and no age leaves the range that training saw.
    """
    gap = now - data_end
    if gap <= LIVE_GAP_MS:
        return (now - at) / DAY_MS
    live = np.minimum(now - at, LIVE_GAP_MS)
    return np.where(at > data_end, live, (data_end + LIVE_GAP_MS) - at) / DAY_MS
