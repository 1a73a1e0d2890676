"""A drawn picture for a product, always the same for the same product.

The words of category and title decide what is drawn: a symbol of `static/pictures.svg`, one file for all
pages, on a canvas of 120 × 90. A hash of brand and id decides colours and backdrop, classes of `shop.css`
(`.h0` … `.h23`, `.g0` … `.g3`). Nothing of a product's text reaches the page, and no inline style is needed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from markupsafe import Markup

from webapp.assets import static_url

HUES = 24  # colour classes, 15 degrees apart
GROUNDS = 4  # backdrops
OWN_HUE = {"leaf": 8, "salad": 8, "bread": 2, "meat": 0, "poultry": 2, "sausage": 0, "cheese": 3, "egg": 2}
"""Things that have a colour of their own, as a class; the brand turns it a little."""

# The first whose words are found decides; the particular comes before the general. A word may begin another
# unless it ends with \b.
WORDS = (
    ("candle", r"candle"),
    ("page", r"magazine|newspaper"),
    ("bottle", r"salad dressing|pourable|vinegar"),
    ("cookie", r"cookies?\b"),
    ("jar", r"pasta sauce"),
    ("snow", r"frozen (meat / meat )?dinner|frozen family dinner|frozen breakfast|frozen meal"),
    ("roll", r"garbage bag|trash bag"),
    ("tube", r"feminine|pregnancy"),
    ("bowl", r"tofu|taco|burrito|hispanic|oriental|thai\b|mexican"),
    ("baby", r"baby|infant|formula|diaper"),
    ("paw", r"pets?\b|dog (food|treat|supplies)|dogs\b|cat (food|litter|treat)|kitty|pet care"),
    ("seeds", r"bird seed|seeds?\b"),
    ("pizza", r"pizza"),
    ("sushi", r"sushi"),
    ("sandwich", r"sandwich|burger|hot dog bun|sub\b"),
    ("mushroom", r"mushroom"),
    ("sausage", r"sausage|hot dogs?\b|frank|bratwurst|links\b"),
    ("egg", r"eggs?\b"),
    ("bag", r"(potato|tortilla|corn)? ?chips?\b|pretzel|popcorn|puffs\b|bag snack"),
    ("icecream", r"ice cream|sherbet|novelt|gelato|fudge bar|cones?\b|frozen yogurt|water ice"),
    ("cup", r"yogurt|pudding|sour cream|cottage cheese|dips?\b|salsa"),
    ("jar", r"honey|peanut butter|jelly|jams?\b|pickle|relish|olive\b|olives|mayo|preserve"),
    ("carton", r"milk|creamer|half and half"),
    ("cheese", r"chees|butter\b|margarine|cheddar|mozzarella|feta"),
    ("wine", r"wine|champagne|sherry|vermouth"),
    ("beer", r"beers?\b|ales?\b|lager|cider"),
    ("bottle", r"liquor|spirits|whisk|vodka|rum\b"),
    ("mug", r"coffee|teas?\b|cocoa|espresso"),
    ("citrus", r"citrus|orange|lemon|lime\b|grapefruit|tangerine|clementine"),
    ("carton", r"juice"),
    ("can", r"soft drink|soda|cola|root beer|ginger ale|energy drink"),
    (
        "bottle",
        r"water\b|isotonic|beverage|drink|new age|vinegar|dressing|ketchup|condiment|syrup|shortening|oil\b",
    ),
    ("bowl", r"cereal|oatmeal|granola|muesli|corn flakes|raisin bran"),
    ("cookie", r"cookie|cracker|graham|biscuit"),
    ("cake", r"cake|pastr|donut|dessert|muffin|sweet goods|breakfast sweets|pies?\b|brownie"),
    ("chocolate", r"chocolate"),
    ("candy", r"candy|candies|gum\b|mints?\b|licorice|lollipop"),
    (
        "bread",
        r"bread|bun\b|buns|rolls?\b(?=.*bak)|bagel|bakery|dough|tortilla|waffle|pancake|toast",
    ),
    ("banana", r"banana|plantain|tropical"),
    ("berries", r"berr|cherr"),
    ("grapes", r"grape|raisin"),
    ("tomato", r"tomato"),
    ("carrot", r"carrot"),
    ("potato", r"potato|yams?\b"),
    ("corn", r"corn\b"),
    ("onion", r"onion|garlic|shallot"),
    ("shaker", r"spice|seasoning|salt|extract|herb|pepper (black|ground)"),
    ("pepper", r"pepper|chili|chile"),
    ("salad", r"salad|value added veg|in-store cut"),
    ("leaf", r"vegetable|lettuce|broccoli|cabbage|spinach|celery|squash|greens|asparagus|produce organic"),
    ("fruit", r"fruit|apple|melon|pear|peach|plum|mango|kiwi|papaya|avocado|produce"),
    ("soup", r"soup|stew|chowder|broth|bouillon|chili"),
    ("pasta", r"pasta|macaroni|noodle|spaghetti|lasagna|ramen"),
    ("nuts", r"nuts?\b|peanut|almond|cashew|trail mix"),
    ("can", r"canned|beans|shelf stable|tuna"),
    ("bottle", r"sauce|marinade|gravy"),
    ("fish", r"fish|seafood|shrimp|salmon|cod\b|crab|lobster"),
    ("poultry", r"chicken|turkey|poultry|wings?\b|fowl|duck"),
    ("meat", r"meat|beef|pork|ham\b|bacon|steak|lamb|veal|ribs|lunchmeat|deli\b|roast"),
    ("snow", r"frozen|frzn|ice\b"),
    ("roll", r"toilet|bath tissue|paper towel|facial tissue|tissue|napkin|foil|wraps?\b|paper houseware"),
    ("toothbrush", r"tooth|oral|dental|mouthwash"),
    ("soap", r"soap|bath\b|shower|hand / body|facial"),
    (
        "spray",
        r"cleaner|cleaning|bleach|air care|insecticide|polish|disinfect|deodor|hair spray",
    ),
    ("bottle", r"detergent|laundry|softener|shampoo|dishwash|hair care|conditioner"),
    ("broom", r"broom|mop|brush|vacuum|ironing"),
    (
        "pills",
        r"vitamin|analgesic|cold and|sinus|antacid|laxative|first aid|medic|pharma|health|allergy",
    ),
    ("tube", r"cosmetic|makeup|cream\b|lotion|shav|skin|sun care|beauty|nail|perfume|eye and ear"),
    ("battery", r"batter"),
    ("bulb", r"bulb|electrical|lighting"),
    ("card", r"greeting|gift card|party|stationery|envelope|valentine|postcard"),
    ("ticket", r"ticket|prepaid|coupon|voucher"),
    ("film", r"film|movie|dvd|blu-ray|video|drama|thriller|comedy|sci-fi|documentary|animation|cinema|电影"),
    ("page", r"magazine|newspaper|school suppl|notebook paper|comic"),
    ("book", r"books?\b|novel|textbook|fiction|poetry|图书|书"),
    ("plant", r"plant|garden|potting|lawn|bonsai"),
    ("flower", r"flor|flower|bouquet|rose|balloon|鲜花"),
    ("pot", r"cookware|bakeware|kitchen|housewares?|pan\b|pot\b|gadget|dinnerware|厨具"),
    ("gift", r"christmas|easter|seasonal|gift|halloween|firework"),
    ("headphones", r"headphone|earbud|audio|speaker|earphone|耳机"),
    ("camera", r"camera|photo|lens|相机"),
    ("laptop", r"laptop|computer|notebook|keyboard|tablet|\bpc\b|电脑"),
    ("phone", r"phone|mobile|smartphone|wireless|手机"),
    ("screen", r"\btvs?\b|television|monitor|display|electronic|projector|电视"),
    ("music", r"music|vinyl|guitar|piano|album|音乐"),
    ("game", r"games?\b|console|playstation|xbox|nintendo|游戏"),
    ("toy", r"toys?\b|lego|puzzle|doll|kids|玩具"),
    ("dress", r"dress|skirt|women|lingerie|女装"),
    ("trousers", r"trouser|jeans|pants|shorts|leggings|裤"),
    ("shoe", r"shoe|sneaker|boot|sandal|footwear|鞋"),
    ("handbag", r"handbag|backpack|luggage|suitcase|wallet|purse|包"),
    ("watch", r"watch|clock|手表"),
    ("ring", r"jewel|ring\b|necklace|earring|bracelet|珠宝"),
    ("shirt", r"shirt|apparel|cloth|jacket|sweater|fashion|men\b|coat|hoodie|wear\b|衣|服"),
    ("bike", r"bike|bicycle|cycling|自行车"),
    ("ball", r"sport|ball|fitness|yoga|outdoor|运动"),
    ("sofa", r"sofa|furniture|chair|couch|bed\b|mattress|table|家具"),
    ("lamp", r"lamp|décor|decor|home\b|curtain|rug\b|灯"),
    ("car", r"automotive|\bcars?\b|motor|tyre|tire|汽车"),
    ("tool", r"tool|hardware|drill|hammer|screw|工具"),
    ("bag", r"flour|sugar|rice|charcoal|coal|bags?\b|snack|seed"),
    ("box", r"mix|dinner|bars?\b|gelatin|cigar|tobacco|baking|box"),
)
_PATTERNS = tuple((name, re.compile(rf"(?<![^\W_])(?:{words})", re.IGNORECASE)) for name, words in WORDS)
PLACEHOLDER = "plain"
"""Drawn where no words say what to draw: of no kind of thing."""


@lru_cache(maxsize=8192)
def drawn(drawing: str, brand: str, item_id: str) -> tuple[str, int, int]:
    """Symbol, colour class and backdrop class of a product; arguments as of `picture`."""
    symbol = _symbol(drawing)
    by_brand, by_item = _number(f"{symbol}\0{brand}"), _number(item_id)
    own = OWN_HUE.get(symbol)
    hue = by_brand + by_item % 9 - 4 if own is None else own + by_item % 2
    return symbol, hue % HUES, by_item // 7 % GROUNDS


def picture(drawing: str, brand: str, item_id: str) -> Markup:
    """The SVG element (decorative: hidden from screen readers).

    Args:
        drawing: category path and title, the words that decide what is drawn.
        brand: with the symbol, decides the colours.
        item_id: varies them a little from product to product.
    """
    symbol, hue, ground = drawn(drawing, brand, item_id)
    return Markup(  # noqa: S704 - made of our own names and numbers only
        f'<svg class="picture h{hue} g{ground}" viewBox="0 0 120 90" aria-hidden="true" focusable="false">'
        f'<use href="{static_url("pictures.svg")}#{symbol}"/></svg>'
    )


@lru_cache(maxsize=8192)
def depicts(words: str) -> bool:
    """Whether these words say what to draw."""
    return _symbol(words) != PLACEHOLDER


def _symbol(drawing: str) -> str:
    return next((name for name, pattern in _PATTERNS if pattern.search(drawing)), PLACEHOLDER)


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=4).digest(), "big")
