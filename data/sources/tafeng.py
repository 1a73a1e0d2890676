"""Ta-Feng grocery, November 2000 to February 2001: one CSV file (or the zip with it) of sales lines.

Customers and products have no tables of their own: their attributes are those of their first line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.columns import Columns
from data.errors import DataError
from data.sources.base import Options, Progress, categorical, folder, number, stream
from data.sources.prices import MeanPrices
from data.writer import PreparedWriter
from engine.dataset import Dataset

COLUMNS = (
    "TRANSACTION_DT",
    "CUSTOMER_ID",
    "AGE_GROUP",
    "PIN_CODE",
    "PRODUCT_SUBCLASS",
    "PRODUCT_ID",
    "AMOUNT",
    "ASSET",
    "SALES_PRICE",
)
AGES = ("<25", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", ">65")


class TaFeng:
    """The file given by --path, or the one in the folder given by it whose name has "feng" in it."""

    has_events = True

    def __init__(self, options: Options) -> None:
        self._options = options

    def files(self) -> Sequence[Path]:
        """The one file."""
        path = folder(self._options, "tafeng")
        if path.is_file():
            return [path]
        found = sorted(file for file in path.iterdir() if "feng" in file.name.lower() and _is_table(file))
        if len(found) != 1:
            raise DataError(
                f"{path}: {len(found)} files named *feng*.csv or .zip; give the file itself with --path"
            )
        return found

    def describe(self) -> Dataset:
        """Purchases only, by day."""
        return Dataset(
            name="tafeng",
            title="Ta-Feng",
            notice="Terms unstated by the publisher: research use.",
            currency="TWD",
            user_noun="customer",
            positive=("purchase",),
            weights={"purchase": 1.0},
            user_features=(
                categorical("age_group", "Age", "年龄", buckets=32, values=AGES),
                categorical("pin_code", "Area", "区域", buckets=32),
            ),
            item_features=(
                categorical("category_1", "Class", "大类", buckets=256),
                categorical("category_2", "Subclass", "小类", buckets=4096),
                number("price", "Price", "价格", (10, 20, 30, 45, 60, 80, 100, 150, 200, 300, 500)),
            ),
        )

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Events and users as they come; items at the end, when their mean prices are known."""
        (path,) = self.files()
        prices = MeanPrices()
        subclasses: list[Any] = []
        for cols in stream(path, "events", COLUMNS, out.rejects, progress):
            lines = _lines(cols)
            events = {name: lines[name] for name in ("user_id", "item_id", "type", "at", "value", "origin")}
            new = pa.array(out.user_ids.add(lines["user_id"]))
            out.users({name: lines[name].filter(new) for name in ("user_id", "age_group", "pin_code")})
            new = pa.array(out.item_ids.add(lines["item_id"]))
            subclasses.append(
                pa.table({"id": lines["item_id"].filter(new), "subclass": lines["subclass"].filter(new)})
            )
            prices.add(lines["item_id"], lines["value"], lines["amount"])
            out.events(events)
        for table in subclasses:
            out.items(_items(table, prices))


def _lines(cols: Columns) -> dict[str, Any]:
    return cols.keep(
        {
            "at": cols.time("TRANSACTION_DT", "%m/%d/%Y"),
            "user_id": cols.ids("CUSTOMER_ID"),
            "age_group": cols.text("AGE_GROUP"),
            "pin_code": cols.text("PIN_CODE"),
            "subclass": cols.category("PRODUCT_SUBCLASS"),
            "item_id": cols.ids("PRODUCT_ID"),
            "type": cols.constant("purchase", pa.string()),
            "amount": cols.number("AMOUNT", required=True, minimum=0),
            "value": cols.number("SALES_PRICE", required=True, minimum=0).cast(pa.float32()),
            "origin": cols.origin(),
        }
    )


def _items(table: Any, prices: MeanPrices) -> dict[str, Any]:
    ids, subclasses = table["id"].combine_chunks(), table["subclass"].combine_chunks()
    titles = pc.binary_join_element_wise("Product ", ids, " of subclass ", subclasses.fill_null("?"), "")
    # The first four digits of a subclass name its class.
    paths = [[text[:4], text] if text else [] for text in subclasses.to_pylist()]
    return {
        "item_id": ids,
        "title": titles,
        "category_path": pa.array(paths, pa.list_(pa.string())),
        "price": prices.of(ids),
    }


def _is_table(file: Path) -> bool:
    return file.name.lower().endswith((".csv", ".csv.gz", ".zip"))
