"""JData of several years: which layout a folder has, told by its files' names and its actions' columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from data.errors import DataError
from data.rows import no_progress, open_text
from data.sources.base import Options, Progress, folder
from data.sources.jdata import JData2019, is_sample
from data.sources.jdata_2016 import JData2016
from data.writer import PreparedWriter
from engine.dataset import Dataset

_PACKED = r"\.csv(\.gz|\.zip)?"
_NAMES = {
    "user": re.compile(f"jdata_user{_PACKED}", re.IGNORECASE),
    "product": re.compile(f"jdata_product{_PACKED}", re.IGNORECASE),
    "action": re.compile(f"jdata_action(_[0-9]{{6}}(_extra)?)?{_PACKED}", re.IGNORECASE),
    "shop": re.compile(f"jdata_shop{_PACKED}", re.IGNORECASE),
}
_TIMES = {"action_time": "2019", "time": "2016"}
"""The column with the time of an action, by which the layouts differ."""
_OTHERS = {"jdata_sku_basic_info": "2018", "jdata_user_order": "2018"}
UNDERSTOOD = (
    "understood are 2016 (JData_User, JData_Product, JData_Action_<month>.csv with a column time) "
    "and 2019 (jdata_user, jdata_product, jdata_action.csv with a column action_time)"
)


class JData:
    """The files in the folder given by --path, in the layout that they have."""

    has_events = True

    def __init__(self, options: Options) -> None:
        self._options = options
        self._found: tuple[list[Path], JData2016 | JData2019] | None = None

    def files(self) -> Sequence[Path]:
        """Users, products, actions, perhaps shops (.csv, .csv.gz or .csv.zip)."""
        return self._layout()[0]

    def describe(self) -> Dataset:
        """As the layout says; without a folder as for 2019."""
        if self._options.path is None:
            return JData2019([], made_up=False).describe()
        return self._layout()[1].describe()

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """As the layout says."""
        self._layout()[1].write(out, progress)

    def _layout(self) -> tuple[list[Path], JData2016 | JData2019]:
        if self._found is None:
            self._found = find_layout(folder(self._options, "jdata"))
        return self._found


def find_layout(root: Path) -> tuple[list[Path], JData2016 | JData2019]:
    """The raw files of a folder and what reads them. `DataError`: which layout it is instead."""
    if not root.is_dir():
        raise DataError(f"{root}: is a file; name the folder with the JData files")
    every = sorted(path for path in root.iterdir() if path.is_file())
    files = {
        kind: [path for path in every if pattern.fullmatch(path.name)] for kind, pattern in _NAMES.items()
    }
    missing = [kind for kind in ("user", "product", "action") if not files[kind]]
    if missing:
        raise DataError(f"{root}: no file jdata_{missing[0]}.csv; {_year(every)}{UNDERSTOOD}")
    for kind in ("user", "product", "shop"):
        if len(files[kind]) > 1:
            names = " and ".join(path.name for path in files[kind])
            raise DataError(f"{root}: holds {names}; leave one of them there")
    years = {path: _year_of(path) for path in files["action"]}
    first = files["action"][0]
    for path, year in years.items():
        if year != years[first]:
            raise DataError(f"{path}: has the layout of JData {year}, {first.name} that of {years[first]}")
    found = [*files["user"], *files["product"], *files["action"]]
    if years[first] == "2019":
        if len(files["action"]) > 1:
            raise DataError(f"{root}: holds {len(files['action'])} files of actions, JData 2019 has one")
        found += files["shop"]
        return found, JData2019(found, made_up=is_sample(root))
    return found, JData2016(found)


def _year(every: Sequence[Path]) -> str:
    """What else it is, as far as the names tell."""
    for path in every:
        for name, year in _OTHERS.items():
            if path.name.lower().startswith(name):
                return (
                    f"{path.name} is of JData {year}, which is not understood (a mapping file can read it); "
                )
    names = ", ".join(path.name for path in every[:5]) or "nothing"
    return f"found {names!a}; "


def _year_of(path: Path) -> str:
    """The year of the layout, by the header of its actions."""
    with open_text(path, "gb18030", no_progress) as text:
        columns = [name.strip().strip('"\ufeff') for name in text.readline(1 << 16).split(",")]
    for name, year in _TIMES.items():
        if name in columns:
            return year
    raise DataError(
        f"{path}:1: the columns {', '.join(columns)[:200]!a} are of no JData layout; {UNDERSTOOD}"
    )
