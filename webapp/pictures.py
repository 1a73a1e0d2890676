"""A drawn placeholder picture for a product, always the same for the same product.

The words of category and title decide what is drawn, a hash of brand and id the colours. The shapes are in
`shapes.json`, on a canvas of 120 × 90: {a} is the main colour, {b} its darker shade, {c} its lighter one.
Only colours computed here reach the SVG, so nothing of a title can break out of it; and only presentation
attributes are used, which a strict Content-Security-Policy allows.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from markupsafe import Markup

# The first whose words are found decides; the particular comes before the general.
WORDS = (
    ("bag", r"(potato|tortilla|corn)? ?chips?\b|snack|candy|pretzel|popcorn|puffs\b"),
    ("egg", r"eggs?\b"),
    ("paw", r"pets?\b|dog (food|treat|supplies)|cat (food|litter)|kitty"),
    ("cup", r"ice cream|yogurt|sherbet|novelt|pudding|sour cream|cottage cheese|dips?\b"),
    ("jar", r"honey|peanut|jelly|jams?\b|baby food"),
    ("cheese", r"chees|butter|margarine"),
    ("carton", r"milk|juice|cream|half"),
    ("box", r"crackers?\b"),
    ("cake", r"cake|cookie|pastr|donut|dessert|muffin|sweet goods|pies?\b"),
    ("bread", r"bread|bun\b|buns|rolls?\b(?=.*bak)|bagel|bakery|dough|tortilla|waffle|pancake|pizza"),
    ("fish", r"fish|seafood|shrimp|salmon|tuna"),
    ("roll", r"toilet|tissue|towel|paper|diaper|napkin|foil|wrap"),
    ("page", r"magazine|newspaper|cards?\b|book|stationery|school|party"),
    ("can", r"soft drink|soda|beers?\b|cans?\b|canned|soup|beans|energy|cola"),
    (
        "bottle",
        r"water|wine|drink|beverage|oil|vinegar|dressing|ketchup|sauce|syrup|detergent|bleach|shampoo|soap"
        r"|cleaner|liquor|spirits|tea\b",
    ),
    ("jar", r"pickle|olive|salsa|mayo|spice|coffee|vitamin|candle"),
    ("tube", r"tooth|cosmetic|makeup|cream\b|lotion|deodorant|hair|shav|medic|cold and|oral|skin"),
    ("bag", r"chocolate|nuts?\b|flour|sugar|rice|frozen|frzn|bag|coal|potatoes?\b"),
    ("meat", r"meat|beef|pork|chicken|turkey|ham\b|bacon|sausage|frank|lunchmeat|deli|hot dog"),
    ("leaf", r"vegetable|salad|lettuce|broccoli|herb|onion|pepper|carrot|cabbage|spinach|garden"),
    ("fruit", r"fruit|apple|banana|berr|grape|orange|citrus|melon|pear|peach|tomato|produce"),
    ("flower", r"flor|flower|plant|bouquet|rose"),
    ("box", r"cereal|pasta|macaroni|noodle|mix|dinner|bar|tea|rice"),
)
_PATTERNS = tuple((name, re.compile(rf"\b(?:{words})", re.IGNORECASE)) for name, words in WORDS)
FALLBACKS = ("box", "bag", "jar", "bottle", "can", "carton", "tube")
HUES = {"leaf": 125, "bread": 34, "meat": 4, "cheese": 44, "egg": 30}
"""Things that have a colour of their own; a hash turns it a little."""


@lru_cache(maxsize=4096)
def picture(drawing: str, brand: str, item_id: str) -> Markup:
    """An inline SVG (decorative: hidden from screen readers).

    Args:
        drawing: category path and title, the words that decide what is drawn.
        brand: with the category, decides the colours.
        item_id: varies them a little from product to product.
    """
    shape = _shape(drawing)
    by_brand, by_item = _number(f"{shape}\0{brand}"), _number(item_id)
    own = HUES.get(shape)
    hue = (own + by_item % 21 - 10 if own is not None else by_brand % 360 + by_item % 61 - 30) % 360
    body = _shapes()[shape].format(a=f"hsl({hue},52%,56%)", b=f"hsl({hue},48%,40%)", c=f"hsl({hue},62%,86%)")
    backdrop = f'<rect width="120" height="90" fill="hsl({(hue + 30) % 360},44%,94%)"/>'
    shadow = '<ellipse cx="60" cy="81" rx="34" ry="4" fill="#000" opacity=".08"/>'
    return Markup(  # noqa: S704 - made of constants and numbers only
        '<svg class="picture" viewBox="0 0 120 90" aria-hidden="true" focusable="false">'
        f"{backdrop}{shadow}{body}</svg>"
    )


def _shape(drawing: str) -> str:
    found = next((name for name, pattern in _PATTERNS if pattern.search(drawing)), None)
    return found or FALLBACKS[_number(drawing.rsplit(" ", 1)[0]) % len(FALLBACKS)]


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=4).digest(), "big")


@lru_cache(maxsize=1)
def _shapes() -> dict[str, str]:
    return dict(json.loads((Path(__file__).parent / "shapes.json").read_text(encoding="utf-8")))
