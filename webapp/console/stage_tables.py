"""The tables of the stages' pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import url_for
from markupsafe import Markup

from engine.candidates import Candidate
from engine.types import Contribution, Item, ItemExplanation, Recommendation
from webapp.console.charts import bar, lean
from webapp.console.people import id_cell, number_cell, title_cell
from webapp.console.tables import Cell, Column, Row, Table, make_table
from webapp.i18n import gettext as _
from webapp.shop import current_shop
from webapp.storefront.wording import reason_text

SHOWN_CONTRIBUTIONS = 3
_CHIP, _CHIPS = Markup('<span class="chip {}">{}</span>'), Markup('<span class="chips">{}</span>')


def flow_table(answer: Recommendation) -> Table:
    """The list as the shop gets it."""
    columns = (
        Column("place", "#", "number"),
        Column("item", _("Item"), "code"),
        Column("title", _("Title"), "wide"),
        Column("score", _("Score"), "number"),
        Column("scale", "", sortable=False),
        Column("channels", _("Channels")),
        Column("reason", _("Reason shown")),
        Column("because", _("Reason item"), "code"),
        Column("price", _("Price"), "number"),
    )
    dataset = current_shop().dataset.get()
    best = max((one.score for one in answer.items), default=0.0)
    rows: list[Row] = [
        {
            "place": _place(place),
            "item": id_cell(one.item_id),
            "title": title_cell(one.item),
            "score": number_cell(one.score),
            "scale": Cell(bar(0, one.score, best)),
            "channels": channels_cell(one.channels),
            "reason": _text(reason_text(one.reason, dataset, {})),
            "because": id_cell(one.reason.item_id) if one.reason.item_id else Cell("–"),
            "price": number_cell(one.item.price if one.item else None, "{:,.2f}"),
        }
        for place, one in enumerate(answer.items, 1)
    ]
    return make_table("found", _("The list"), columns, rows)


def candidate_table(
    caption: str, candidates: Sequence[Candidate], items: Mapping[str, Item], *, reasons: bool = True
) -> Table:
    """Candidates with their provenance."""
    columns = [
        Column("place", "#", "number"),
        Column("item", _("Item"), "code"),
        Column("title", _("Title"), "wide"),
        Column("score", _("Score"), "number"),
        Column("scale", "", sortable=False),
        Column("channels", _("Channels")),
    ]
    if reasons:
        columns.append(Column("because", _("Because of"), "wide"))
    best = max((one.score for one in candidates), default=0.0)
    rows: list[Row] = [
        {
            "place": _place(place),
            "item": id_cell(one.item_id),
            "title": title_cell(items.get(one.item_id)),
            "score": number_cell(one.score),
            "scale": Cell(bar(0, one.score, best)),
            "channels": channels_cell(one.channels),
            "because": _because(one, items),
        }
        for place, one in enumerate(candidates, 1)
    ]
    return make_table("found", caption, columns, rows)


def rank_table(found: Sequence[ItemExplanation], items: Mapping[str, Item]) -> Table:
    """Scores, best first, and what moved each."""
    columns = (
        Column("place", "#", "number"),
        Column("item", _("Item"), "code"),
        Column("title", _("Title"), "wide"),
        Column("score", _("Score"), "number"),
        Column("scale", "", sortable=False),
        Column("why", _("What moved it (log-odds)"), "wide", sortable=False),
    )
    ordered = sorted(found, key=lambda one: -one.score)
    best = ordered[0].score if ordered else 0.0
    most = max((abs(part.effect) for one in found for part in one.contributions), default=0.0)
    rows: list[Row] = [
        {
            "place": _place(place),
            "item": id_cell(one.item_id),
            "title": title_cell(items.get(one.item_id)),
            "score": number_cell(one.score),
            "scale": Cell(bar(0, one.score, best)),
            "why": Cell(_contributions(one, most)),
        }
        for place, one in enumerate(ordered, 1)
    ]
    return make_table("found", _("Scores"), columns, rows)


def channels_cell(channels: Sequence[str]) -> Cell:
    """Channels as chips, the deciding one first."""
    chips = Markup("").join(
        _CHIP.format("first" if place == 0 else "", channel) for place, channel in enumerate(channels)
    )
    return Cell(_CHIPS.format(chips), " ".join(channels) or None)


def _contributions(found: ItemExplanation, most: float) -> Markup:
    """The strongest as a small table, the others behind a click."""
    if not found.contributions:
        return Markup("–")
    parts = sorted(found.contributions, key=lambda part: -abs(part.effect))
    shown = Markup("").join(_contribution(part, most) for part in parts[:SHOWN_CONTRIBUTIONS])
    rest = Markup("").join(_contribution(part, most) for part in parts[SHOWN_CONTRIBUTIONS:])
    table = Markup('<ul class="effects">{}</ul>')
    if not rest:
        return table.format(shown)
    more = _("%(count)s more", count=len(parts) - SHOWN_CONTRIBUTIONS)
    return table.format(shown) + Markup("<details><summary>{}</summary>{}</details>").format(
        more, table.format(rest)
    )


def _contribution(part: Contribution, most: float) -> Markup:
    value = Markup(" <em>{}</em>").format(part.value) if part.value else ""
    return Markup('<li><span class="of">{}{}</span>{}<span class="by">{:+.3f}</span></li>').format(
        part.feature, value, lean(part.effect, most), part.effect
    )


def _because(one: Candidate, items: Mapping[str, Item]) -> Cell:
    """The shopper's own item, or the shared feature, that led to a candidate."""
    if one.reason_item_id:
        item = items.get(one.reason_item_id)
        title = item.title if item and item.title else one.reason_item_id
        return Cell(title, title, url_for("console.items", ids=one.reason_item_id))
    return _text(one.reason_segment)


def _place(place: int) -> Cell:
    return Cell(str(place), float(place))


def _text(text: str) -> Cell:
    return Cell(text or "–", text or None)
