"""Is one run better than another? Differences user by user, by paired bootstrap.

    python -m models.evaluate compare var/quality/cj-pipeline var/quality/cj-tifu

Reads the ``users.parquet`` of two output folders of the same protocol, data and window. The interval is of
chance in who is measured, not of chance in training: for that, give folders of runs with ``--seeds``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console

from models.evaluation.errors import ProtocolError
from models.evaluation.ranking import DoubleArray, summary

_SAME = ("protocol", "dataset", "on")

Measured = dict[str, tuple[list[str], dict[str, DoubleArray]]]  # by variant: user ids, measures


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``compare``."""
    parser.add_argument("first", type=Path, help="an output folder of a run")
    parser.add_argument("second", type=Path, help="the folder of the run to compare it with")
    parser.add_argument("--seed", type=int, default=7, help="of the bootstrap")
    parser.add_argument("--out", type=Path, help="a JSON file for the differences")


def run(options: argparse.Namespace, console: Console) -> int:
    """Print first minus second; raises ProtocolError if they measured something else."""
    _check_reports(options.first, options.second)
    found = differences(read_users(options.first), read_users(options.second), options.seed)
    out = Console()
    out.print(f"{options.first} minus {options.second}", markup=False, highlight=False, soft_wrap=True)
    for variant, measures in found.items():
        for name, one in measures.items():
            settled = "" if one["low"] > 0 or one["high"] < 0 else "  not settled"
            line = (
                f"{variant:<6}{name:<16}{one['first']:.4f} - {one['second']:.4f} = {one['mean']:+.4f} "
                f"[{one['low']:+.4f}, {one['high']:+.4f}]{settled}"
            )
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


def read_users(folder: Path) -> Measured:
    """By variant the users, ascending, and their measures. Raises ProtocolError if the file is not there."""
    path = folder / "users.parquet"
    if not path.is_file():
        raise ProtocolError(f"{path}: missing: run the protocol again with --out {folder}")
    table = pq.read_table(path).sort_by([("variant", "ascending"), ("user_id", "ascending")])
    variants = np.array(table["variant"].to_pylist())
    users = np.array(table["user_id"].to_pylist())
    names = [name for name in table.column_names if name not in ("user_id", "variant")]
    columns = {name: table[name].to_numpy() for name in names}
    return {
        variant: (
            users[variants == variant].tolist(),
            {name: column[variants == variant] for name, column in columns.items()},
        )
        for variant in np.unique(variants).tolist()
    }


def differences(first: Measured, second: Measured, seed: int = 7) -> dict[str, dict[str, dict[str, float]]]:
    """By variant and measure: both means, the mean difference and its 95 % interval.

    Raises ProtocolError if the two did not measure the same users.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for variant, (users, values) in first.items():
        others, theirs = second.get(variant, ([], {}))
        if users != others:
            raise ProtocolError(f"{variant}: the runs measured other users: use the same --source and --on")
        shared = [name for name in values if name in theirs]
        apart = summary({name: values[name] - theirs[name] for name in shared}, seed)
        found[variant] = {
            name: {"first": float(values[name].mean()), "second": float(theirs[name].mean()), **one}
            for name, one in apart.items()
        }
    return found


def _check_reports(first: Path, second: Path) -> None:
    one, other = (_report(folder) for folder in (first, second))
    for key in _SAME:
        if one.get(key) != other.get(key):
            raise ProtocolError(
                f"{first} and {second}: {key} differs, {one.get(key)} and {other.get(key)}: "
                "compare runs of the same"
            )


def _report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ProtocolError(f"{path}: missing: run the protocol again with --out {folder}") from None
    return found
