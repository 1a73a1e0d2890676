"""From the form to a user's context, and what several pages say of items."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from flask import url_for

from engine.chain import STRANGER, request_context
from engine.features import UserContext
from engine.types import Item, RecommendQuery
from engine.vocabulary import MAX_BATCH, MAX_HISTORY
from services.common.values import now_ms
from webapp.console.inputs import Form, Who
from webapp.console.state import current_console
from webapp.console.tables import Cell
from webapp.console.trace import Trace
from webapp.i18n import gettext as _
from webapp.shop import current_shop


def context_of(trace: Trace, form: Form, who: Who) -> UserContext | None:
    """What recall and rank are asked with, put together as the recommend service does.

    None when the stored part cannot be read; an unknown id is told at the field, and counts as a new user.
    """
    stored = STRANGER
    if who.user_id:
        found = trace.ask(
            "user.GetUserContext",
            lambda: current_shop().services.user.get_user_context(
                who.user_id, MAX_HISTORY, current_console().call_timeout_s
            ),
        )
        if found is None:
            return None
        if not found.known:
            form.unknown("user_id", unknown_user(who.user_id))
        stored = found
    query = RecommendQuery(who.user_id, profile=who.attributes, session_item_ids=tuple(who.session))
    return request_context(query, stored, now_ms()).context


def unknown_user(user_id: str) -> str:
    """What is said of an id without profile and events."""
    return str(_("No user “%(id)s” is stored: what follows is what an unknown user gets.", id=user_id[:60]))


def read_items(trace: Trace, item_ids: Iterable[str]) -> dict[str, Item]:
    """Details by id, of at most 1,000; empty when they cannot be read: pages then show ids."""
    wanted = list(dict.fromkeys(item_id for item_id in item_ids if item_id))[:MAX_BATCH]
    if not wanted:
        return {}
    answer = trace.ask(
        "item.BatchGetItems",
        lambda: current_shop().services.item.batch_get_items(wanted, current_console().call_timeout_s),
    )
    return {item.item_id: item for item in answer[0]} if answer else {}


def id_cell(item_id: str) -> Cell:
    """An item's id, leading to the look-up of the item. Sorted as a number where all of it is one."""
    return Cell(item_id, _natural(item_id), url_for("console.items", ids=item_id))


def title_cell(item: Item | None) -> Cell:
    """An item's title; a dash when it is not known."""
    return Cell(item.title, item.title) if item and item.title else Cell("–")


def number_cell(value: float | None, form: str = "{:.4f}") -> Cell:
    """A figure; a dash when it is not known."""
    return Cell("–") if value is None else Cell(form.format(value), float(value))


def time_text(at_ms: int) -> str:
    """A time as ISO 8601 to the second, UTC; a dash for 0 and for what no calendar has."""
    if not at_ms:
        return "–"
    try:
        return datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "–"


def _natural(item_id: str) -> str:
    """So that 9 stands before 10."""
    return item_id.zfill(20) if item_id.isdigit() else item_id
