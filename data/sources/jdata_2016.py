"""JData 2016: users, candidate products and actions by month, as comma-separated files in GBK with a header.

Traps it copes with: ages in words ("26-35岁"), -1 for "unknown", user ids written "266079.0", actions that
take an item out of the cart again (left out and counted), products that only the actions name (kept with
category and brand for histories, never offered: the products file is the set that could be bought).
JData_Comment.csv is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.columns import NULLS, Columns
from data.rows import TextFormat
from data.sources.base import Progress, categorical, stream
from data.sources.jdata import one_level, product_titles
from data.writer import PreparedWriter
from engine.dataset import Dataset

TAKEN_OUT = "taken out of the cart"
ACTIONS = {"1": "view", "2": "cart", "3": TAKEN_OUT, "4": "purchase", "5": "favorite", "6": "click"}

USERS = ("user_id", "age", "sex", "user_lv_cd")
PRODUCTS = ("sku_id", "a1", "a2", "a3", "cate", "brand")
EVENTS = ("user_id", "sku_id", "time", "type", "cate", "brand")
AGES = {
    "15岁以下": "under 16",
    "16-25岁": "16-25",
    "26-35岁": "26-35",
    "36-45岁": "36-45",
    "46-55岁": "46-55",
    "56岁以上": "over 55",
}

_NULLS = (*NULLS, "-1", "-1.0")
_ATTRIBUTES = ("a1", "a2", "a3")


class JData2016:
    """The files of one folder.

    Args:
        files: JData_User.csv, JData_Product.csv, then one or more JData_Action_<month>.csv.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def describe(self) -> Dataset:
        """As for 2019, with the features that these files have."""
        return Dataset(
            name="jdata",
            title="JData 2016",
            currency="CNY",
            user_noun="shopper",
            positive=("purchase",),
            weights={"view": 0.1, "click": 0.1, "purchase": 1.0, "favorite": 0.5, "cart": 0.5},
            user_features=(
                categorical("age", "Age group", "年龄段", buckets=32, values=tuple(AGES.values())),
                categorical("sex", "Sex", "性别", buckets=16, values=("0", "1", "2")),
                categorical("level", "Member level", "会员级别", buckets=16),
            ),
            item_features=(
                categorical("brand", "Brand", "品牌", buckets=8192),
                categorical("category_1", "Category", "品类", buckets=256),
                *(categorical(name, name.upper(), name.upper(), buckets=16) for name in _ATTRIBUTES),
            ),
        )

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Users, then products, then the actions of all months."""
        users, products, *actions = self._files
        for cols in _stream(users, "users", USERS, out, progress):
            out.users(_users(cols, out))
        for cols in _stream(products, "items", PRODUCTS, out, progress):
            out.items(_items(cols, out))
        for path in actions:
            for cols in _stream(path, "events", EVENTS, out, progress):
                _events(cols, out)


def is_utf8(path: Path) -> bool:
    """Whether the beginning of a text is UTF-8: some copies of these files were saved so."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    try:
        head[: head.rfind(b"\n") + 1].decode()
    except UnicodeDecodeError:
        return False
    return True


def _stream(path: Path, table: str, required: Sequence[str], out: PreparedWriter, progress: Progress) -> Any:
    packed = path.suffix in {".gz", ".zip"}  # only the users have other letters than ASCII
    form = TextFormat(encoding="utf-8" if not packed and is_utf8(path) else "gb18030")
    return stream(path, table, required, out.rejects, progress, form, _NULLS)


def _users(cols: Columns, out: PreparedWriter) -> dict[str, Any]:
    ids, ages = cols.ids("user_id"), cols.text("age").dictionary_encode()
    names = pa.array([AGES.get(text, text) for text in ages.dictionary.to_pylist()], pa.string())
    columns = {
        "user_id": ids,
        "age": names.take(ages.indices),
        "sex": cols.category("sex"),
        "level": cols.category("user_lv_cd"),
    }
    cols.unique(ids, out.user_ids, "user_id")
    return cols.keep(columns)


def _items(cols: Columns, out: PreparedWriter) -> dict[str, Any]:
    ids, cate, brand = cols.ids("sku_id"), cols.category("cate"), cols.category("brand")
    columns = _details(ids, cate, brand) | {name: cols.category(name) for name in _ATTRIBUTES}
    cols.unique(ids, out.item_ids, "sku_id")
    return cols.keep(columns)


def _details(ids: Any, cate: Any, brand: Any) -> dict[str, Any]:
    return {
        "item_id": ids,
        "title": product_titles(ids, cate, brand),
        "category_path": one_level(cate),
        "brand": brand,
    }


def _events(cols: Columns, out: PreparedWriter) -> None:
    kept = cols.keep(
        {
            "user_id": cols.ids("user_id"),
            "item_id": cols.ids("sku_id"),
            "type": cols.choice("type", ACTIONS),
            "at": cols.time("time"),
            "value": cols.constant(1.0, pa.float32()),
            "origin": cols.origin(),
            "cate": cols.category("cate"),
            "brand": cols.category("brand"),
        }
    )
    done = pc.not_equal(kept["type"], TAKEN_OUT)
    out.rejects.leave_out("events", TAKEN_OUT, len(done) - (pc.sum(done).as_py() or 0))
    events = {name: array.filter(done) for name, array in kept.items()}
    out.add_missing_users(events["user_id"])
    new = pa.array(out.item_ids.add(events["item_id"]))
    items = _details(*(events[name].filter(new) for name in ("item_id", "cate", "brand")))
    rows = len(items["item_id"])
    if rows:
        out.items(items | {"available": pa.array([False] * rows)})
        out.notes["items_named_by_events_only"] += rows
    out.events(events)
