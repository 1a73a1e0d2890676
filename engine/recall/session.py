"""The session: what the shopper showed interest in just now. Recall and the page both go by it."""

from __future__ import annotations

import numpy as np

from engine.candidates import Rows
from engine.features import HistorySummary, UserContext
from engine.vocabulary import EVENT_CODE, HISTORY_EVENT_TYPES

SESSION_ITEMS = 3
SESSION_DAYS = 1.0
_TYPES = ("view", "click", "cart", "favorite", "purchase")
_INTEREST = np.array([name in _TYPES for name in HISTORY_EVENT_TYPES])
_DAY_MS = 86_400_000


def session_rows(past: HistorySummary) -> Rows:
    """Rows of the newest distinct items, at most 3, that the shopper cared for within a day; newest first."""
    history = past.history
    recent = int(np.searchsorted(history.ages, SESSION_DAYS))  # newest first, so ages rise
    rows = history.rows[:recent][_INTEREST[history.types[:recent]]]
    return np.array(list(dict.fromkeys(rows[:50].tolist()))[:SESSION_ITEMS], np.int64)


def session_items(context: UserContext) -> list[str]:
    """Their ids, from the context's events."""
    found: dict[str, None] = {}
    for event in context.events:
        if len(found) == SESSION_ITEMS or context.now - event.at >= SESSION_DAYS * _DAY_MS:
            break
        if event.at < context.now and _INTEREST[EVENT_CODE.get(event.type, 0)]:
            found.setdefault(event.item_id)
    return list(found)
