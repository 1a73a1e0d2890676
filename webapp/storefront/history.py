"""What a shopper did, in words: all of it in pages, what was looked at last, what is of no interest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import structlog
from flask import abort, render_template, request
from flask_babel import format_date, format_time

from engine.errors import EcrsError, InvalidArgument
from engine.types import Item, UserEvent
from webapp.i18n import gettext as _
from webapp.i18n import lazy_gettext as _l
from webapp.shop import Shop, current_shop
from webapp.shopper import current_shopper
from webapp.storefront.blueprint import blueprint
from webapp.storefront.cards import Card, item_card
from webapp.storefront.wording import money, title_of

PAGE = 50
EVENTS_READ = 100
VIEWED_SHOWN = 8
MAX_PAGE_TOKEN = 512
SENTENCES = {
    "view": _l("You looked at %(title)s"),
    "click": _l("You opened %(title)s"),
    "cart": _l("You put %(title)s into your cart"),
    "purchase": _l("You bought %(title)s"),
    "favorite": _l("You marked %(title)s as a favourite"),
    "comment": _l("You commented on %(title)s"),
    "rate": _l("You rated %(title)s"),
    "dislike": _l("You are not interested in %(title)s"),
}
log = structlog.get_logger("webapp.history")


@dataclass(frozen=True)
class EventLine:
    """An event in words. `value`: what was paid, where that is known."""

    type: str
    item_id: str
    title: str
    sentence: str
    time: str
    value: str
    known: bool


@blueprint.get("/history")
def history_page() -> str:
    """Events by day, newest first; the first page has what was looked at and what is of no interest too."""
    token = request.args.get("page", "")
    if len(token) > MAX_PAGE_TOKEN:
        abort(400)
    shop, user_id = current_shop(), current_shopper().user_id
    try:
        events, next_token = shop.services.user.list_user_events(user_id, PAGE, token, shop.call_timeout_s)
    except InvalidArgument:
        abort(400)
    recent: list[UserEvent] = []
    if not token:
        recent, _next = shop.services.user.list_user_events(user_id, EVENTS_READ, "", shop.call_timeout_s)
    items = _items(shop, [event.item_id for event in (*events, *recent)])
    return render_template(
        "history.html",
        days=_days(events, items, shop.dataset.get().currency),
        viewed=_seen(shop, recent, items, ("view", "click"))[:VIEWED_SHOWN],
        disliked=_seen(shop, recent, items, ("dislike",)),
        first=not token,
        next_token=next_token,
    )


def _items(shop: Shop, item_ids: Iterable[str]) -> Mapping[str, Item]:
    """Details of the items named, as far as they can be read."""
    wanted = list(dict.fromkeys(item_ids))
    if not wanted:
        return {}
    try:
        found, _missing = shop.stand_ins.items(wanted, shop.call_timeout_s)
    except EcrsError as error:
        log.warning("items.not_read", error=type(error).__name__, message=str(error))
        return {}
    return {item.item_id: item for item in found}


def _days(
    events: Iterable[UserEvent], items: Mapping[str, Item], currency: str
) -> list[tuple[str, list[EventLine]]]:
    """(day, its events) in the order given."""
    days: list[tuple[str, list[EventLine]]] = []
    for event in events:
        at = datetime.fromtimestamp(event.at_ms / 1000, timezone.utc)
        day = format_date(at, "full")
        if not days or days[-1][0] != day:
            days.append((day, []))
        days[-1][1].append(_event_line(event, items.get(event.item_id), at, currency))
    return days


def _event_line(event: UserEvent, item: Item | None, at: datetime, currency: str) -> EventLine:
    title = title_of(item, event.item_id)
    sentence = SENTENCES.get(event.type)
    return EventLine(
        type=event.type,
        item_id=event.item_id,
        title=title,
        sentence=str(sentence) % {"title": title}
        if sentence
        else _("Something about %(title)s", title=title),
        time=format_time(at, "short"),
        value=money(event.value, currency) if event.type == "purchase" and event.value > 0 else "",
        known=item is not None,
    )


def _seen(
    shop: Shop, events: Iterable[UserEvent], items: Mapping[str, Item], types: tuple[str, ...]
) -> tuple[Card, ...]:
    """Products with an event of these types, newest first, each once, that the catalogue still has."""
    ids = dict.fromkeys(event.item_id for event in events if event.type in types)
    dataset = shop.dataset.get()
    return tuple(item_card(items[item_id], dataset) for item_id in ids if item_id in items)
