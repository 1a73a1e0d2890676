"""What an address of a list of products asks for, and how to say it again.

`?q=` text, `brand=` (several), `min=` and `max=` price, `sort=`, and the page:
`page` is for people, `at` is the service's token of that page: a link to a page stays good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask_babel import LazyString
from werkzeug.datastructures import MultiDict

from engine.types import SearchQuery
from webapp.errors import BadPage
from webapp.i18n import gettext as _
from webapp.i18n import lazy_gettext as _l

PAGE_SIZE = 24
MAX_TEXT = 200
MAX_BRANDS = 20
MAX_TOKEN = 512
MAX_PAGE = 1_000_000
FOR_YOU = "for-you"
SORTS: dict[str, tuple[str, LazyString]] = {
    "relevance": ("relevance", _l("Best match")),
    "popular": ("popularity", _l("Most popular")),
    FOR_YOU: ("popularity", _l("Chosen for you")),
    "newest": ("newest", _l("Newest")),
    "price": ("price_ascending", _l("Price, lowest first")),
    "price-down": ("price_descending", _l("Price, highest first")),
}
"""Name in addresses → the port's order, and what it is called."""


@dataclass(frozen=True)
class Listing:
    """A list of products asked for. `sort` "" = the usual one; `page` counts from 1."""

    text: str = ""
    category: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None
    sort: str = ""
    page: int = 1
    at: str = ""

    @property
    def sorts(self) -> list[str]:
        """The orders there are for it: by relevance with a text only, by taste in a category only."""
        without = {FOR_YOU} if self.text or not self.category else set()
        return [name for name in SORTS if name not in without and (self.text or name != "relevance")]

    @property
    def sorted_by(self) -> str:
        """The order it is in."""
        return self.sort or self.sorts[0]

    @property
    def narrowed(self) -> bool:
        """Whether a brand or price is chosen."""
        return bool(self.brands) or self.price_min is not None or self.price_max is not None

    def query(self) -> SearchQuery:
        """What to ask the item service for."""
        return SearchQuery(
            text=self.text,
            category_path=self.category,
            brands=self.brands,
            price_min=self.price_min,
            price_max=self.price_max,
            order=SORTS[self.sorted_by][0],
            page_size=PAGE_SIZE,
            page_token=self.at,
        )

    def address(self, base: str, **changes: object) -> str:
        """The address of this list with something changed; it begins at its start unless `at` is given."""
        if "at" not in changes:
            changes = {**changes, "page": 1, "at": ""}
        other = replace(self, **changes)  # type: ignore[arg-type]  # by the callers in templates
        pairs = [
            ("q", other.text),
            *(("brand", brand) for brand in other.brands),
            ("min", number(other.price_min)),
            ("max", number(other.price_max)),
            ("sort", other.sort),
            ("page", str(other.page) if other.at else ""),
            ("at", other.at),
        ]
        told = urlencode([(name, value) for name, value in pairs if value])
        return f"{base}?{told}" if told else base

    def toggled(self, brand: str) -> tuple[str, ...]:
        """The chosen brands with this one more, or without it."""
        if brand in self.brands:
            return tuple(one for one in self.brands if one != brand)
        return (*self.brands, brand)


def parse(args: MultiDict[str, str], category: Sequence[str] = ()) -> Listing:
    """What the address asks for. Raises BadPage, which says what to change."""
    text = " ".join(args.get("q", "").split())
    if len(text) > MAX_TEXT or not text.isprintable():
        raise BadPage(_("Search for at most %(most)s letters: a few words are enough.", most=MAX_TEXT))
    brands = tuple(dict.fromkeys(brand for brand in args.getlist("brand") if brand))
    if len(brands) > MAX_BRANDS or any(len(brand) > MAX_TEXT for brand in brands):
        raise BadPage(_("Choose at most %(most)s brands.", most=MAX_BRANDS))
    low, high = _price(args, "min"), _price(args, "max")
    if low is not None and high is not None and low > high:
        raise BadPage(
            _(
                "The lowest price (%(low)s) is above the highest (%(high)s): exchange them.",
                low=number(low),
                high=number(high),
            )
        )
    found = Listing(text, tuple(category), brands, low, high)
    sort, at, page = args.get("sort", ""), args.get("at", ""), args.get("page", "1")
    if sort and sort not in found.sorts:
        raise BadPage(
            _("This list cannot be sorted by “%(sort)s”. Choose one of: %(sorts)s.")
            % {"sort": sort[:40], "sorts": ", ".join(found.sorts)}
        )
    if len(at) > MAX_TOKEN or not (page.isascii() and page.isdigit() and 1 <= int(page[:9]) <= MAX_PAGE):
        raise BadPage(wrong_page())
    return replace(found, sort=sort, at=at, page=int(page) if at else 1)


def wrong_page() -> str:
    """What is said of a page that there is not."""
    return str(_("There is no such page of this list. Begin at its first page."))


def number(value: float | None) -> str:
    """A price as in addresses and fields; empty for None."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _price(args: Mapping[str, str], name: str) -> float | None:
    text = args.get(name, "").strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e9:  # nan too
        raise BadPage(_("“%(text)s” is not a price. Give a number from 0, such as 2.50.", text=text[:40]))
    return value
