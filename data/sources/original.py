"""The original system's `users.dat` and `products.dat`: colon-separated, without a header or events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.rows import TextFormat
from data.sources.base import Options, Progress, categorical, find, folder, stream
from data.sources.jdata import DEMOGRAPHICS, one_level, product_titles
from data.writer import PreparedWriter
from engine.dataset import Dataset

USERS = ("user_id", "age", "sex", "city_level", "province", "city", "country")
PRODUCTS = ("sku_id", "brand", "shopid", "cate")


class Original:
    """The two files in the folder given by --path."""

    has_events = False

    def __init__(self, options: Options) -> None:
        self._options = options

    def files(self) -> Sequence[Path]:
        """users.dat and products.dat."""
        root = folder(self._options, "original")
        return [find(root, "users.dat"), find(root, "products.dat")]

    def describe(self) -> Dataset:
        """The same features as JData, whose data it is, as far as the files have them."""
        return Dataset(
            name="original",
            title="The original system's users and products",
            currency="CNY",
            user_noun="shopper",
            positive=("purchase",),
            user_features=DEMOGRAPHICS,
            item_features=(
                categorical("brand", "Brand", "品牌", buckets=8192),
                categorical("shop", "Shop", "店铺", buckets=16384),
                categorical("category_1", "Category", "品类", buckets=256),
            ),
        )

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Users, then products; there are no events."""
        users, products = self.files()
        form = TextFormat(delimiter=":", quoted=False, columns=USERS)
        for cols in stream(users, "users", USERS, out.rejects, progress, form):
            ids = cols.ids("user_id")
            columns = {name: cols.category(name) for name in USERS[1:]}
            cols.unique(ids, out.user_ids, "user_id")
            out.users(cols.keep({"user_id": ids, **columns}))
        form = TextFormat(delimiter=":", quoted=False, columns=PRODUCTS)
        for cols in stream(products, "items", PRODUCTS, out.rejects, progress, form):
            ids, brand, cate = cols.ids("sku_id"), cols.category("brand"), cols.category("cate")
            columns = {
                "item_id": ids,
                "title": product_titles(ids, cate, brand),
                "category_path": one_level(cate),
                "brand": brand,
                "shop": cols.category("shopid"),
            }
            cols.unique(ids, out.item_ids, "sku_id")
            out.items(cols.keep(columns))
