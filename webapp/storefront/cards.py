"""What a page shows of an item in a list: plain values, and their HTML."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any
from urllib.parse import quote_plus

from flask import current_app, request
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup, escape

from engine.dataset import Dataset
from engine.types import Item, RecommendedItem
from webapp.i18n import language
from webapp.photos import ImageOrigins, photo
from webapp.pictures import depicts
from webapp.storefront.why import why_code
from webapp.storefront.wording import category_text, money, title_of

HTML_KEPT = 8192
"""Cards whose HTML is kept, of about 1.5 KB each."""
_CSRF, _BACK, _TOKEN_IN_LINK, _TOKEN_IN_FORM = (secrets.token_hex(16) for _ in range(4))
"""Placeholders for what differs from request to request; random, so that no title contains one."""


@dataclass(frozen=True)
class Card:
    """One item of a list, in words; `token` goes back with events on it, `why` with the link to it."""

    item_id: str
    title: str
    brand: str
    category: str
    drawing: str
    """What the picture is drawn from: the category path and the title."""
    price: str
    reason: str = ""
    token: str = ""
    why: str = ""
    available: bool = True
    image: str = ""


def make_card(
    found: RecommendedItem,
    token: str,
    dataset: Dataset,
    reason: Callable[[RecommendedItem], str],
    why: str | None = None,
) -> Card:
    """The card of a recommended item; an item whose details are missing shows its number.

    `reason` words it; `why` is its code when it is not that of the item's own reason.
    """
    item = found.item
    return Card(
        item_id=found.item_id,
        title=title_of(item, found.item_id),
        brand=item.brand if item else "",
        category=category_text(item) if item else "",
        drawing=drawing(item) if item else "",
        price=money(item.price, dataset.currency) if item else "",
        reason=reason(found),
        token=token,
        why=why_code(found.reason) if why is None else why,
        available=item.available if item else True,
        image=item.image_url if item else "",
    )


def item_card(item: Item, dataset: Dataset) -> Card:
    """The card of an item that nobody recommended: out of a search, or seen before."""
    return Card(
        item_id=item.item_id,
        title=title_of(item, item.item_id),
        brand=item.brand,
        category=category_text(item),
        drawing=drawing(item),
        price=money(item.price, dataset.currency),
        available=item.available,
        image=item.image_url,
    )


def drawing(item: Item) -> str:
    """The words that decide an item's picture: none unless its category says what kind of thing it is.

    A title alone is often about something else ("Cat mug", "Heart of wicker"): see `webapp.pictures`.
    """
    categories = " ".join(item.category_path)
    return f"{categories} {item.title}" if depicts(categories) else ""


def card_html(origins: ImageOrigins, cards: Iterable[Card], back: str, heading: str = "h3") -> Markup:
    """The cards as list items.

    The HTML of a card is kept by everything it shows. What belongs to a request is filled in each time: the
    attribution token, the CSRF token and `back`, the address that the buttons lead back to.
    """
    filled, lang, script_root = [], language(), request.script_root
    for card in cards:
        html = _html(lang, script_root, origins, heading, bool(card.token), _SHOWN(card))
        if card.token:
            html = html.replace(_TOKEN_IN_LINK, quote_plus(card.token))
            html = html.replace(_TOKEN_IN_FORM, escape(card.token))
        filled.append(html)
    if not filled:
        return Markup("")
    text = "\n".join(filled).replace(_CSRF, escape(generate_csrf())).replace(_BACK, escape(back))
    return Markup(text)  # noqa: S704 - a template's output, filled with escaped text


_SHOWN_FIELDS = tuple(field.name for field in fields(Card) if field.name != "token")
_SHOWN = attrgetter(*_SHOWN_FIELDS)


@lru_cache(maxsize=HTML_KEPT)
def _html(
    lang: str, script_root: str, origins: ImageOrigins, heading: str, listed: bool, shown: tuple[Any, ...]
) -> str:
    """The HTML of a card with placeholders; `listed`: whether it has an attribution token.

    `lang` and `script_root`, of this request too, decide texts and addresses.
    """
    card = Card(**dict(zip(_SHOWN_FIELDS, shown, strict=True)))
    return current_app.jinja_env.get_template("_card.html").render(
        card=card,
        heading=heading,
        photo=photo(origins, card.image, card.drawing, card.brand, card.item_id),
        token_in_link=_TOKEN_IN_LINK if listed else "",
        token_in_form=_TOKEN_IN_FORM if listed else "",
        csrf_token=_CSRF,
        back=_BACK,
    )
