"""JData 2019: actions, users, products and shops as comma-separated files with a header.

Traps it copes with: users with actions but no profile (kept, features unknown); numbers written "5.0" where a
column has gaps; products with actions but no details (kept for histories, never offered).
jdata_comment.csv is not used: its counts go on past most actions, so they would tell a model the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.columns import Columns
from data.sources.base import Progress, categorical, number, stream
from data.writer import PreparedWriter
from engine.dataset import Dataset

ACTIONS = {"1": "view", "2": "purchase", "3": "favorite", "4": "comment", "5": "cart"}

USERS = ("user_id", "age", "sex", "user_lv_cd", "city_level", "province", "city", "county")
PRODUCTS = ("sku_id", "brand", "shop_id", "cate", "market_time")
SHOPS = ("shop_id", "shop_score")
EVENTS = ("user_id", "sku_id", "action_time", "type")

DEMOGRAPHICS = (
    categorical("age", "Age group", "年龄段", buckets=32, values=("1", "2", "3", "4", "5", "6")),
    categorical("sex", "Sex", "性别", buckets=16, values=("0", "1", "2")),
    categorical("city_level", "City level", "城市级别", buckets=16, values=("1", "2", "3", "4", "5", "6")),
    categorical("province", "Province", "省份", buckets=64),
    categorical("city", "City", "城市", buckets=1024),
    categorical("country", "County", "区县", buckets=4096),  # the original's name for the county
)
"""The profile of the original system; JData's `county` is its `country`."""


class JData2019:
    """The files of one folder.

    Args:
        files: jdata_user, jdata_product, jdata_action and perhaps jdata_shop (.csv, .csv.gz or .csv.zip).
        made_up: whether it is our own sample.
    """

    def __init__(self, files: Sequence[Path], *, made_up: bool) -> None:
        self._files, self._made_up = files, made_up

    def describe(self) -> Dataset:
        """Views and carts count little for popularity, orders fully; orders are what is predicted."""
        made_up = self._made_up
        return Dataset(
            name="jdata",
            title="Synthetic sample in the form of JData" if made_up else "JData 2019",
            synthetic=made_up,
            notice="Random data made by data/sample/generate.py." if made_up else "",
            currency="CNY",
            user_noun="shopper",
            positive=("purchase",),
            weights={"view": 0.1, "purchase": 1.0, "favorite": 0.5, "comment": 0.5, "cart": 0.5},
            user_features=(*DEMOGRAPHICS, categorical("level", "Member level", "会员级别", buckets=16)),
            item_features=(
                categorical("brand", "Brand", "品牌", buckets=8192),
                categorical("shop", "Shop", "店铺", buckets=16384),
                categorical("category_1", "Category", "品类", buckets=256),
                number("shop_score", "Shop score", "店铺评分", (6.0, 7.0, 8.0, 8.5, 9.0, 9.3, 9.6)),
            ),
        )

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Users, then products with their shops' scores, then actions."""
        users, products, actions, *shops = self._files
        for cols in stream(users, "users", USERS, out.rejects, progress):
            out.users(_users(cols, out))
        shop_ids, scores = _shops(shops, out, progress)
        for cols in stream(products, "items", PRODUCTS, out.rejects, progress):
            out.items(_items(cols, out, shop_ids, scores))
        for cols in stream(actions, "events", EVENTS, out.rejects, progress):
            events = cols.keep(
                {
                    "user_id": cols.ids("user_id"),
                    "item_id": cols.ids("sku_id"),
                    "type": cols.choice("type", ACTIONS),
                    "at": cols.time("action_time"),
                    "value": cols.constant(1.0, pa.float32()),
                    "origin": cols.origin(),
                }
            )
            out.add_missing_users(events["user_id"])
            out.add_missing_items(events["item_id"], available=False)
            out.events(events)


def is_sample(root: Path) -> bool:
    """Whether a folder holds our own made-up data."""
    return (root / "generate.py").exists()


def _users(cols: Columns, out: PreparedWriter) -> dict[str, Any]:
    ids = cols.ids("user_id")
    columns = {name: cols.category(name) for name in ("age", "sex", "city_level", "province", "city")}
    columns |= {"user_id": ids, "country": cols.category("county"), "level": cols.category("user_lv_cd")}
    cols.unique(ids, out.user_ids, "user_id")
    return cols.keep(columns)


def _shops(files: Sequence[Path], out: PreparedWriter, progress: Progress) -> tuple[Any, Any]:
    """Shop ids and their scores: as many as there are shops."""
    ids, scores = [pa.array([], pa.string())], [pa.array([], pa.float64())]
    for path in files:
        for cols in stream(path, "shops", SHOPS, out.rejects, progress):
            kept = cols.keep({"id": cols.ids("shop_id"), "score": cols.number("shop_score")})
            ids.append(kept["id"])
            scores.append(kept["score"])
    return pa.concat_arrays(ids), pa.concat_arrays(scores)


def _items(cols: Columns, out: PreparedWriter, shop_ids: Any, scores: Any) -> dict[str, Any]:
    ids, brand, shop, cate = (
        cols.ids("sku_id"),
        cols.category("brand"),
        cols.category("shop_id"),
        cols.category("cate"),
    )
    columns = {
        "item_id": ids,
        "title": product_titles(ids, cate, brand),
        "category_path": one_level(cate),
        "brand": brand,
        "shop": shop,
        "listed_at": cols.time("market_time", required=False),
        "shop_score": scores.take(pc.index_in(shop, shop_ids)),
    }
    cols.unique(ids, out.item_ids, "sku_id")
    return cols.keep(columns)


def product_titles(ids: Any, cate: Any, brand: Any) -> Any:
    """Titles for data that has only numbers: "Category 70, brand 3456, no. 1"."""
    return pc.binary_join_element_wise(
        pc.binary_join_element_wise("Category ", cate.fill_null("?"), ""),
        pc.binary_join_element_wise("brand ", brand.fill_null("?"), ""),
        pc.binary_join_element_wise("no. ", ids, ""),
        ", ",
    )


def one_level(values: Any) -> Any:
    """A category path of one level; of none where the value is null."""
    lengths = pc.is_valid(values).cast(pa.int32()).to_numpy(zero_copy_only=False)
    offsets = pa.array([0, *lengths.cumsum().tolist()], pa.int32())
    return pa.ListArray.from_arrays(offsets, values.drop_null())
