"""What the tests of the data package share: the result of a run, and the text of small raw files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


@dataclass(frozen=True)
class Prepared:
    """What one run of the command did."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    def rows(self, table: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.folder / f"{table}.parquet").to_pylist()
        return rows

    def column(self, table: str, name: str) -> list[Any]:
        return [row[name] for row in self.rows(table)]

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report

    @property
    def rejects(self) -> list[list[str]]:
        """file name, line, reason, raw of every rejected row."""
        with (self.folder / "rejects.csv").open(newline="") as file:
            rows = list(csv.reader(file))[1:]
        return [[Path(row[0]).name, *row[1:]] for row in rows]


Run = Callable[..., Prepared]


JDATA = {
    "jdata_user.csv": "user_id,age,sex,user_reg_tm,user_lv_cd,city_level,province,city,county\n"
    "1,5.0,1.0,2016-01-01 10:00:00,3,5.0,20.0,176.0,1933.0\n"
    "2,,0.0,2016-01-01 10:00:00,1,4.0,3.0,31.0,311.0\n",
    "jdata_product.csv": "sku_id,brand,shop_id,cate,market_time\n"
    "1,3456.0,6980,70,2015-11-02 16:02:32.0\n"
    "2,77.0,1,46,2015-11-02 16:02:32.0\n",
    "jdata_shop.csv": "vender_id,shop_id,fans_num,vip_num,shop_reg_tm,cate,shop_score\n"
    "3666,6980,100,100,2014-01-01 00:00:00,70.0,9.25\n",
    "jdata_action.csv": "user_id,sku_id,action_time,module_id,type\n"
    "1,2,2018-02-02 10:00:00,8,2\n"
    "1,1,2018-02-01 10:00:00,8,1\n"
    "2,1.0,2018-02-01 10:00:00,8,5\n",
}
