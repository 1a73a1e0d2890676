"""Looking up a user and items."""

from __future__ import annotations

from flask import render_template, url_for

from engine.errors import NotFound
from engine.types import Item, UserEvent, UserProfile
from webapp.console.blueprint import blueprint
from webapp.console.inputs import Form
from webapp.console.people import id_cell, number_cell, read_items, time_text, title_cell
from webapp.console.state import current_console
from webapp.console.tables import Cell, Column, Row, Table, make_table
from webapp.console.trace import Trace, recording
from webapp.i18n import gettext as _
from webapp.shop import current_shop
from webapp.storefront.wording import value_text

MOST_EVENTS = 300
EVENTS_A_CALL = 100
MOST_ITEMS = 100


@blueprint.get("/user")
def user() -> tuple[str, int]:
    """A user's profile and newest events."""
    form = Form()
    user_id = form.id("user_id")
    profile: UserProfile | None = None
    table: Table | None = None
    with recording() as trace:
        if user_id:
            profile = _profile(trace, user_id)
            events = _events(trace, user_id)
            if profile is None and not events and not trace.failures:
                form.unknown("user_id", _("No user “%(id)s” is stored.", id=user_id[:60]))
            elif events:
                items = read_items(trace, (event.item_id for event in events))
                table = _event_table(events, items)
    page = render_template(
        "console/user.html",
        form=form,
        trace=trace,
        user_id=user_id,
        profile=profile,
        lines=_lines(profile),
        table=table,
    )
    return page, form.status


@blueprint.get("/items")
def items() -> tuple[str, int]:
    """Several items by their ids."""
    form = Form()
    wanted = form.ids("ids", MOST_ITEMS)
    found: dict[str, Item] = {}
    with recording() as trace:
        if wanted:
            found = read_items(trace, wanted)
    missing = [item_id for item_id in wanted if item_id not in found] if not trace.failures else []
    if missing:
        form.unknown(
            "ids",
            _("Not stored: %(ids)s.", ids=", ".join(one[:60] for one in missing[:20])),
            partly=bool(found),
        )
    rows = [_item_row(found[item_id]) for item_id in wanted if item_id in found]
    table = make_table("items", _("Items"), _item_columns(), rows) if rows else None
    page = render_template("console/items.html", form=form, trace=trace, table=table, most=MOST_ITEMS)
    return page, form.status


def _profile(trace: Trace, user_id: str) -> UserProfile | None:
    port, timeout_s = current_shop().services.user, current_console().call_timeout_s
    try:
        return trace.ask("user.GetUser", lambda: port.get_user(user_id, timeout_s), NotFound)
    except NotFound:  # visitors without a profile have events all the same
        return None


def _events(trace: Trace, user_id: str) -> list[UserEvent]:
    """The newest events, at most 500; those read so far when a page of them fails."""
    port, timeout_s = current_shop().services.user, current_console().call_timeout_s
    events: list[UserEvent] = []
    token = ""
    while len(events) < MOST_EVENTS:
        answer = trace.ask(
            "user.ListUserEvents",
            lambda token=token: port.list_user_events(user_id, EVENTS_A_CALL, token, timeout_s),  # type: ignore[misc]
        )
        if answer is None:
            break
        events += answer[0]
        token = answer[1]
        if not token:
            break
    return events


def _lines(profile: UserProfile | None) -> list[tuple[str, str, str]]:
    """Feature, its name for people, value."""
    if profile is None:
        return []
    dataset = current_shop().dataset.get()
    return [
        (name, dataset.user_feature(name).label(), value_text(value))
        for name, value in sorted(profile.attributes.items())
    ]


def _event_table(events: list[UserEvent], items: dict[str, Item]) -> Table:
    columns = (
        Column("at", _("At (UTC)"), "code"),
        Column("type", _("Event")),
        Column("item", _("Item"), "code"),
        Column("title", _("Title"), "wide"),
        Column("value", _("Value"), "number"),
        Column("token", _("List"), "code"),
    )
    rows: list[Row] = [
        {
            "at": Cell(time_text(event.at_ms), float(event.at_ms)),
            "type": Cell(event.type, event.type),
            "item": id_cell(event.item_id),
            "title": title_cell(items.get(event.item_id)),
            "value": number_cell(event.value or None, "{:,.2f}"),
            "token": Cell(event.attribution_token or "–", event.attribution_token or None),
        }
        for event in events
    ]
    return make_table("events", _("Newest events, at most %(most)s", most=MOST_EVENTS), columns, rows)


def _item_columns() -> tuple[Column, ...]:
    return (
        Column("item", _("Item"), "code"),
        Column("title", _("Title"), "wide"),
        Column("category", _("Category")),
        Column("brand", _("Brand")),
        Column("shop", _("Shop")),
        Column("price", _("Price"), "number"),
        Column("available", _("Available")),
        Column("listed", _("Listed (UTC)"), "code"),
        Column("more", _("Further features"), "code", sortable=False),
        Column("similar", _("Similar"), sortable=False),
    )


def _item_row(item: Item) -> Row:
    path = " › ".join(item.category_path)
    more = ", ".join(f"{name}={value_text(value)}" for name, value in sorted(item.attributes.items()))
    return {
        "item": id_cell(item.item_id),
        "title": title_cell(item),
        "category": Cell(path or "–", path or None),
        "brand": Cell(item.brand or "–", item.brand or None),
        "shop": Cell(item.shop or "–", item.shop or None),
        "price": number_cell(item.price, "{:,.2f}"),
        "available": Cell(_("yes") if item.available else _("no"), float(item.available)),
        "listed": Cell(time_text(item.listed_at_ms), float(item.listed_at_ms) or None),
        "more": Cell(more or "–"),
        "similar": Cell(_("similar"), href=url_for("console.similar", item_id=item.item_id)),
    }
