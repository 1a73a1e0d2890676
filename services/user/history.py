"""Loaded and live events of a user as one history: the same rules for events and for columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.features import EventColumns
from engine.vocabulary import HISTORY_EVENT_TYPES, MAX_HISTORY
from services.user.codec import BROWSING, StoredEvent, type_code

Places = npt.NDArray[np.int64]

_IS_BROWSING = np.array([name in BROWSING for name in HISTORY_EVENT_TYPES])  # by the code of a type


def merge(history: Sequence[StoredEvent], live: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Loaded and live events, newest first, `MAX_HISTORY` at most (see `newest_places`).

    A live event that a later load brought along as history counts once; of the two the live one stays, which
    knows its token.
    """
    both = [*live, *history]
    return [both[place] for place in _merged_places(_columns(history), _columns(live)).tolist()]


def merge_columns(history: EventColumns, live: EventColumns) -> EventColumns:
    """The same of columns. `history` is newest first."""
    if not len(live) and len(history) <= MAX_HISTORY:
        return history
    return live.followed_by(history).take(_merged_places(history, live))


def keep_newest(events: Sequence[StoredEvent], limit: int = MAX_HISTORY) -> list[StoredEvent]:
    """The events at `newest_places` of events that are given newest first."""
    browsing = np.array([event.type in BROWSING for event in events], np.bool_)
    return [events[place] for place in newest_places(browsing, limit).tolist()]


def newest_places(browsing: npt.NDArray[np.bool_], limit: int) -> Places:
    """Places of the newest `limit` of N events that are given newest first, int64, ascending.

    Where browsing would push out what a user bought or rated, it gives way: up to half of the places are for
    the newest events that are no browsing, however old they are.

    Args:
        browsing: bool [N], which events are browsing.
    """
    if len(browsing) <= limit:
        return np.arange(len(browsing))
    acts = np.flatnonzero(~browsing)
    kept_acts = max(int((acts < limit).sum()), min(len(acts), limit // 2))
    views = np.flatnonzero(browsing)[: limit - kept_acts]
    return np.sort(np.concatenate([acts[:kept_acts], views]))


def _merged_places(history: EventColumns, live: EventColumns) -> Places:
    """Places in the live events followed by the history, newest first."""
    kept = np.arange(len(history))
    if len(live) and len(history) and live.at.min() <= history.at[0]:
        seen = set(live)
        # Only what happened at the time of a live event can be one of them.
        doubtful = np.flatnonzero(np.isin(history.at, live.at))
        again = [place for place in doubtful.tolist() if history[place] in seen]
        kept = np.delete(kept, again)
    places = np.concatenate([np.arange(len(live)), kept + len(live)])
    at, types = np.concatenate([live.at, history.at]), np.concatenate([live.types, history.types])
    places = places[np.argsort(-at[places], kind="stable")]
    return places[newest_places(_IS_BROWSING[types[places]], MAX_HISTORY)]


def _columns(events: Sequence[StoredEvent]) -> EventColumns:
    return EventColumns(
        [event.item_id for event in events],
        np.array([type_code(event.type) for event in events], np.int8),
        np.array([event.at_ms for event in events], np.int64),
    )
