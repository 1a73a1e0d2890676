"""The session: what the shopper showed interest in just now. Recall and recommend both go by it."""

from __future__ import annotations

from engine.features import UserContext

SESSION_ITEMS = 3
SESSION_MS = 24 * 3_600_000
_TYPES = frozenset(("view", "click", "cart", "favorite", "purchase"))


def session_items(context: UserContext) -> list[str]:
    """The newest distinct items, at most 3, that the shopper cared for within a day; newest first."""
    found: dict[str, None] = {}
    for event in context.events:
        if len(found) == SESSION_ITEMS or context.now - event.at > SESSION_MS:
            break
        if event.at < context.now and event.type in _TYPES:
            found.setdefault(event.item_id)
    return list(found)
