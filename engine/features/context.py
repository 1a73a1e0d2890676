"""What is known of a user at a moment, as rows and as columns, and the clock it is read by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DAY_MS = 86_400_000
LIVE_GAP_MS = DAY_MS  # how far after a release's data the present may seem to be
SKEW_MS = 3_600_000  # how far ahead of our clock another machine's event may be and still count


class Event(NamedTuple):
    """One thing a user did. ``at``: milliseconds since the epoch, UTC."""

    item_id: str
    type: str
    at: int


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
