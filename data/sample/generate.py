"""Writes the sample: random data in the form of JData 2019, with structure that a recommender can learn.

`python -m data.sample.generate [FOLDER]` gives the same bytes every time: one seed, no clock, no library
whose random numbers change between versions.

The structure: age group and sex make a segment; each segment prefers a few categories and brands; users come
back to what they bought (consumables more often) and buy pairs of products that belong together.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

SEED = 2019
USERS, PRODUCTS, SHOPS = 300, 400, 40
VISITS = 8_400  # about 12,000 actions
BRANDS_PER_CATEGORY = 6
CATEGORIES = tuple(range(1, 25))
CONSUMABLE = frozenset(CATEGORIES[:10])
START = datetime(2018, 2, 1)  # noqa: DTZ001 - the data's own clock
DAYS = 60
CART_DAYS = 7
NO_PROFILE = 5
VIEW, ORDER, FOLLOW, COMMENT, CART = 1, 2, 3, 4, 5

Row = Sequence[object]


class Product:
    """One product and how it is chosen."""

    def __init__(self, number: int, draw: random.Random) -> None:
        self.id = number
        self.category = CATEGORIES[(number - 1) % len(CATEGORIES)]
        self.brand = self.category * 100 + draw.randrange(BRANDS_PER_CATEGORY)
        self.shop = 1 + (self.brand * 7 + draw.randrange(3)) % SHOPS
        self.listed = START - timedelta(days=draw.randrange(10, 900), seconds=draw.randrange(86_400))
        self.appeal = 1.0 / (1 + draw.randrange(40))
        self.partner = 0  # bought together with this one


class User:
    """One user, the segment's taste and a memory."""

    def __init__(self, number: int, draw: random.Random) -> None:
        self.id = number
        self.age = draw.choices((1, 2, 3, 4, 5, 6), (1, 2, 6, 8, 4, 1))[0]
        self.sex = draw.choices((0, 1, 2), (12, 14, 1))[0]
        self.city_level = draw.choices((1, 2, 3, 4, 5), (4, 4, 5, 6, 3))[0]
        self.province = draw.randrange(1, 31)
        self.city = self.province * 10 + draw.randrange(1, 6)
        self.county = self.city * 10 + draw.randrange(1, 8)
        self.level = draw.choices((1, 2, 3, 4, 5), (2, 3, 4, 3, 1))[0]
        self.registered = START - timedelta(days=draw.randrange(30, 2_000), seconds=draw.randrange(86_400))
        self.activity = draw.choice((1, 1, 2, 3, 5))
        self.bought: list[Product] = []
        segment = random.Random(SEED * 1_000 + self.age * 10 + self.sex)
        self.categories = segment.sample(CATEGORIES, 5)
        self.brand_of = {category: segment.randrange(BRANDS_PER_CATEGORY) for category in CATEGORIES}
        self.own = draw.sample(CATEGORIES, 2)  # what makes one differ from the segment


def choose(user: User, products: Sequence[Product], draw: random.Random) -> Product:
    """What the user looks at next: something bought before, its partner, or something by taste."""
    if user.bought and draw.random() < 0.45:
        again = draw.choice(user.bought[-12:])
        if draw.random() < 0.4:
            return products[again.partner]
        if again.category in CONSUMABLE or draw.random() < 0.2:
            return again
    weights = []
    for product in products:
        taste = 6.0 if product.category in user.categories else 3.0 if product.category in user.own else 0.2
        loyal = 4.0 if product.brand % 100 == user.brand_of[product.category] else 1.0
        weights.append(product.appeal * taste * loyal)
    return draw.choices(products, weights)[0]


def sessions(users: Sequence[User], products: Sequence[Product], draw: random.Random) -> list[Row]:
    """All actions in the order of time: (user_id, sku_id, action_time, module_id, type)."""
    moments = sorted(draw.randrange(DAYS * 86_400) for _ in range(VISITS))
    actions: list[tuple[datetime, Row]] = []
    for moment in moments:
        user = draw.choices(users, [user.activity for user in users])[0]
        at = START + timedelta(seconds=moment)
        product = choose(user, products, draw)
        kinds = [VIEW]
        # As in the original data, carts exist only in the last week.
        if at >= START + timedelta(days=DAYS - CART_DAYS) and draw.random() < 0.3:
            kinds.append(CART)
        if draw.random() < (0.6 if product in user.bought else 0.3):
            kinds.append(ORDER)
            user.bought.append(product)
            if draw.random() < 0.08:
                kinds.append(COMMENT)
        elif draw.random() < 0.06:
            kinds.append(FOLLOW)
        for kind in kinds:
            actions.append((at, (user.id, product.id, at, 1 + product.id % 9, kind)))
            at += timedelta(seconds=draw.randrange(20, 900))
    actions.sort(key=lambda action: action[0])
    return [row for _, row in actions]


def write(folder: Path, name: str, header: str, rows: Sequence[Row]) -> None:
    """One CSV file with Unix line ends."""
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)


def generate(folder: Path) -> None:
    """Write all files of the sample into `folder`."""
    draw = random.Random(SEED)
    products = [Product(number, draw) for number in range(1, PRODUCTS + 1)]
    for product in products:
        alike = [
            other for other in products if other.category % 8 == product.category % 8 and other is not product
        ]
        product.partner = draw.choice(alike).id - 1
    users = [User(number, draw) for number in range(1, USERS + 1)]
    actions = sessions(users, products, draw)
    known = users[:-NO_PROFILE]  # the last few act without a profile
    listed = [product for product in products if product.id % 100]  # and a few products have no details

    def gaps(value: int, number: int) -> str:
        return "" if number % 50 == 0 else f"{value}.0"  # a column with gaps reads as float

    write(
        folder,
        "jdata_user.csv",
        "user_id,age,sex,user_reg_tm,user_lv_cd,city_level,province,city,county",
        [
            (
                *(u.id, gaps(u.age, u.id), gaps(u.sex, u.id), u.registered, u.level),
                *(gaps(u.city_level, u.id + 7), f"{u.province}.0", f"{u.city}.0", f"{u.county}.0"),
            )
            for u in known
        ],
    )
    write(
        folder,
        "jdata_product.csv",
        "sku_id,brand,shop_id,cate,market_time",
        [(p.id, gaps(p.brand, p.id + 11), p.shop, p.category, f"{p.listed}.0") for p in listed],
    )
    write(
        folder,
        "jdata_shop.csv",
        "vender_id,shop_id,fans_num,vip_num,shop_reg_tm,cate,shop_score",
        [
            (
                *(1000 + shop, shop, draw.randrange(100, 90_000), draw.randrange(100, 90_000)),
                START - timedelta(days=draw.randrange(400, 3_000)),
                f"{1 + shop % 24}.0",
                f"{draw.uniform(7, 9.9):.6f}",
            )
            for shop in range(1, SHOPS + 1)
        ],
    )
    write(
        folder,
        "jdata_comment.csv",
        "dt,sku_id,comments,good_comments,bad_comments",
        [
            ((START + timedelta(days=p.id % DAYS)).date(), p.id, 9 + p.id % 30, 8 + p.id % 20, p.id % 2)
            for p in listed
        ],
    )
    write(folder, "jdata_action.csv", "user_id,sku_id,action_time,module_id,type", actions)
    (folder / "users.dat").write_text(
        "".join(
            f"{u.id}:{u.age}.0:{u.sex}.0:{u.city_level}.0:{u.province}.0:{u.city}.0:{u.county}.0\n"
            for u in known
        ),
        encoding="utf-8",
    )
    (folder / "products.dat").write_text(
        "".join(f"{p.id}:{p.brand}:{p.shop}:{p.category}\n" for p in listed), encoding="utf-8"
    )


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
