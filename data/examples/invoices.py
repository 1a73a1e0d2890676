"""A gift shop's invoice lines, one file: guests, returns, postage, fees, and titles typed by hand."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from data.examples.shoppers import Catalogue, Shopper, Table, moments

SEED = 1
Line = tuple[str, str, int, float]
"""Code, title, quantity, price of one."""

_SHOPPERS, _GUEST_SHARE, _RETURN_SHARE = 420, 0.22, 0.02
_BROKEN_SHARE = 0.01  # invoices beside which something is taken out of the stock
_THEMES = {
    "CHRISTMAS": ("BAUBLE", "STOCKING", "GARLAND", "TREE STAR", "REINDEER", "ADVENT CANDLE"),
    "KITCHEN": ("CAKE TIN", "OVEN GLOVE", "EGG CUP", "TEA TOWEL", "MIXING BOWL", "SPICE JAR"),
    "GARDEN": ("WATERING CAN", "BIRD FEEDER", "PLANT POT", "LANTERN", "KNEELING PAD", "SEED BOX"),
    "PARTY": ("BUNTING", "PAPER PLATES", "BALLOONS", "PARTY BAGS", "STRAWS", "CAKE CASES"),
    "CHILDREN": ("LUNCH BOX", "SKIPPING ROPE", "JIGSAW", "NIGHT LIGHT", "PENCIL CASE", "SPINNING TOP"),
    "BATHROOM": ("SOAP DISH", "TOWEL RING", "BATH SALTS", "MIRROR", "SPONGE", "TUMBLER"),
    "OFFICE": ("NOTEBOOK", "PEN POT", "DESK CLOCK", "LETTER RACK", "STAMP SET", "PAPERWEIGHT"),
}
_STYLES = ("RED SPOTTY", "VINTAGE", "HEART", "RETRO", "WOODEN", "SET OF 6")
_EXTRAS = (
    ("POST", "POSTAGE", 0.22, (4.0, 18.0)),
    ("DOT", "DOTCOM POSTAGE", 0.04, (10.0, 60.0)),
    ("M", "Manual", 0.03, (1.0, 20.0)),
    ("BANK CHARGES", "Bank Charges", 0.015, (15.0, 15.0)),
    ("AMAZONFEE", "AMAZON FEE", 0.01, (30.0, 90.0)),
)
"""Lines that are no products: code, title, share of the invoices, least and highest price."""

MAPPING = """\
[dataset]
name = "giftshop"
title = "Gift shop"
currency = "GBP"

[events]
file = "invoices.csv"
user_id = "Customer ID"
item_id = "StockCode"
time = "InvoiceDate"
time_format = "%d/%m/%Y %H:%M"
type_constant = "purchase"
value = { product = ["Quantity", "Price"] }
# Guests have no number: nobody comes back to be recommended something.
where = [{ column = "Customer ID", known = true }]

[events.returns]
when = [{ column = "Invoice", matches = "C*" }, { column = "Quantity", below = 0 }]
do = "remove"

[items]
title = "Description"
price = "Price"
exclude = { item_id = ["POST", "DOT", "M", "BANK CHARGES", "AMAZONFEE"], title = ["*postage*"] }
"""


def tables() -> dict[str, Table]:
    """invoices.csv, in order of time."""
    draw = random.Random(SEED)
    catalogue = Catalogue(draw, len(_THEMES), len(_STYLES) * 6)
    names = [
        f"{style} {theme} {thing}"
        for theme, things in _THEMES.items()
        for style in _STYLES
        for thing in things
    ]
    codes = [f"{20_000 + 7 * number}{draw.choice(('', '', 'A', 'B'))}" for number in range(len(names))]
    prices = [draw.choice((0.42, 0.85, 1.25, 1.65, 2.1, 2.95, 4.25, 7.95, 12.75)) for _ in names]
    visits = []
    for number in range(_SHOPPERS):
        shopper = Shopper(number, catalogue, draw)
        visits += [(at, shopper) for at in moments(draw, shopper.visits)]
    visits.sort(key=lambda visit: (visit[0], visit[1].number))
    invoices: list[tuple[datetime, str, list[Line], str, str]] = []
    for at, shopper in visits:
        guest = draw.random() < _GUEST_SHARE
        customer = "" if guest else f"{12_346 + 3 * shopper.number}.0"
        country = "Germany" if shopper.number % 11 == 0 else "United Kingdom"
        lines: list[Line] = []
        for product in shopper.basket(draw.choice((2, 3, 4, 5))):
            quantity = draw.choice((1, 1, 2, 4, 6, 12, 24))
            lines.append((codes[product], _typed(names[product], draw), quantity, prices[product]))
            if draw.random() < _RETURN_SHARE:
                back = draw.choice((quantity, quantity, max(1, quantity // 2)))  # all of it, or a half
                returned = [(codes[product], names[product], -back, prices[product])]
                later = at + timedelta(days=draw.randrange(1, 20))
                invoices.append((later, "C", returned, customer, country))
        lines += [
            (code, title, 1, round(draw.uniform(least, most), 2))
            for code, title, share, (least, most) in _EXTRAS
            if draw.random() < share
        ]
        invoices.append((at, "", lines, customer, country))
        if draw.random() < _BROKEN_SHARE:
            broken = (codes[draw.randrange(len(codes))], "damaged?", -draw.randrange(1, 30), 0.0)
            invoices.append((at, "", [broken], "", country))
    invoices.sort(key=lambda invoice: invoice[0])
    rows = [
        (f"{sign}{number}", code, title, quantity, f"{at:%d/%m/%Y %H:%M}", price, customer, country)
        for number, (at, sign, lines, customer, country) in enumerate(invoices, 489_434)
        for code, title, quantity, price in lines
    ]
    header = (
        "Invoice",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "Price",
        "Customer ID",
        "Country",
    )
    return {"invoices.csv": [header, *rows]}


def _typed(title: str, draw: random.Random) -> str:
    """A title as it is found in such files: with blanks and in other spellings."""
    spelling = draw.random()
    if spelling < 0.05:
        return f"{title} "
    if spelling < 0.07:
        return f" {title.replace(' ', '  ', 1)}"
    if spelling < 0.09:
        return title.title()
    return title
