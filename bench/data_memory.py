"""Peak memory of the adapters against the size of the raw file: it must stay flat.

    python -m bench.data_memory [--rows 300000] [--sizes 1,4,16] [--sources jdata,tafeng]

Writes raw files of ours with 1, 4 and 16 times as many event rows (same users and items), prepares each in a
fresh process, and prints its peak resident memory. Exits with 1 when one needs over 1.25 times the first.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data.sources.tafeng import COLUMNS

USERS, ITEMS = 20_000, 5_000
TOLERANCE = 1.25
_CHILD = (
    "import resource, sys; from data.prepare import main; code = main(sys.argv[1:]); "
    "print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
)


def _pairs(rows: int) -> Iterator[tuple[int, int, int]]:
    """(user, item, second) in random order of time: the worst case for the sort."""
    draw = random.Random(7)
    for _ in range(rows):
        yield draw.randrange(USERS), draw.randrange(ITEMS), draw.randrange(86_400 * 100)


def _clock(second: int) -> str:
    day, rest = divmod(second, 86_400)
    month, date = divmod(day, 28)
    return f"2018-{month + 1:02}-{date + 1:02} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def jdata(folder: Path, rows: int) -> list[str]:
    """JData's CSVs."""
    users = [f"{user},5.0,1.0,,3,5.0,1,2,3\n" for user in range(USERS)]
    products = [f"{item},{item % 90},1,{item % 70},\n" for item in range(ITEMS)]
    header = "user_id,age,sex,user_reg_tm,user_lv_cd,city_level,province,city,county\n"
    (folder / "jdata_user.csv").write_text(header + "".join(users))
    (folder / "jdata_product.csv").write_text("sku_id,brand,shop_id,cate,market_time\n" + "".join(products))
    with (folder / "jdata_action.csv").open("w") as file:
        file.write("user_id,sku_id,action_time,module_id,type\n")
        file.writelines(f"{user},{item},{_clock(at)},8,{1 + at % 5}\n" for user, item, at in _pairs(rows))
    return ["jdata", "--path", str(folder)]


def tafeng(folder: Path, rows: int) -> list[str]:
    """Ta-Feng's one CSV."""
    names = ",".join(COLUMNS) + "\n"
    with (folder / "ta_feng.csv").open("w") as file:
        file.write(names)
        file.writelines(
            f'"{1 + at % 12}/{1 + at % 28}/2000","{user}","45-49","115","{item % 7}","{item}","2","9","30"\n'
            for user, item, at in _pairs(rows)
        )
    return ["tafeng", "--path", str(folder)]


def movielens(folder: Path, rows: int) -> list[str]:
    """MovieLens-1M's files."""
    (folder / "users.dat").write_text("".join(f"{user}::F::25::1::48067\n" for user in range(USERS)))
    movies = [f"{item}::Movie {item} (1995)::Comedy|Drama\n" for item in range(ITEMS)]
    (folder / "movies.dat").write_text("".join(movies))
    with (folder / "ratings.dat").open("w") as file:
        file.writelines(
            f"{user}::{item}::{1 + at % 5}::{978_000_000 + at}\n" for user, item, at in _pairs(rows)
        )
    return ["movielens", "--path", str(folder)]


def mapping(folder: Path, rows: int) -> list[str]:
    """One CSV of a shop, with the attributes of users and items in it."""
    (folder / "shop.toml").write_text(
        '[dataset]\nname = "shop"\ntitle = "Shop"\n'
        '[events]\nfile = "log.csv"\nuser_id = "u"\nitem_id = "i"\ntime = "t"\ntime_format = "epoch_s"\n'
        'type_constant = "purchase"\n'
        '[[users.feature]]\nname = "age"\n[items]\ntitle = "name"\nprice = "price"\n'
    )
    with (folder / "log.csv").open("w") as file:
        file.write("u,i,t,age,name,price\n")
        file.writelines(
            f"{user},{item},{at},{user % 60},Item {item},9.5\n" for user, item, at in _pairs(rows)
        )
    return ["mapping", "--mapping", str(folder / "shop.toml")]


GENERATORS: dict[str, Callable[[Path, int], list[str]]] = {
    "jdata": jdata,
    "tafeng": tafeng,
    "movielens": movielens,
    "mapping": mapping,
}


def measure(source: str, rows: int) -> tuple[float, float, float]:
    """Raw megabytes, seconds and peak MiB of preparing `rows` events in a fresh process."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "raw"
        folder.mkdir()
        arguments = GENERATORS[source](folder, rows)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        started = time.monotonic()
        command = [sys.executable, "-c", _CHILD, *arguments, "--out", str(Path(temporary) / "prepared")]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        if child.returncode:
            raise SystemExit(f"{source}: {child.stderr.strip()}")
        kilobytes = int(child.stdout.rsplit("PEAK", 1)[1])
        return size, seconds, kilobytes / 1024


def main() -> int:
    """Print the table; the exit status says whether memory stayed flat."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_memory", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000, help="event rows of size 1 (%(default)s)")
    parser.add_argument("--sizes", default="1,4,16", help="multiples of --rows (%(default)s)")
    parser.add_argument("--sources", default=",".join(GENERATORS), help="adapters (%(default)s)")
    args = parser.parse_args()
    sizes, sources = [int(size) for size in args.sizes.split(",")], args.sources.split(",")
    unknown = [source for source in sources if source not in GENERATORS]
    if unknown:
        parser.error(f"unknown source {unknown[0]!r}; known: {', '.join(GENERATORS)}")
    table = Table("source", "rows", "raw MB", "seconds", "rows/s", "peak MiB", "ratio to the first")
    flat = True
    for source in sources:
        first = 0.0
        for size in sizes:
            megabytes, seconds, peak = measure(source, args.rows * size)
            first = first or peak
            flat = flat and peak <= TOLERANCE * first
            rate = args.rows * size / seconds
            cells = (
                f"{args.rows * size:,}",
                f"{megabytes:.0f}",
                f"{seconds:.1f}",
                f"{rate:,.0f}",
                f"{peak:.0f}",
            )
            table.add_row(source, *cells, f"{peak / first:.2f}")
    Console().print(table)
    print(f"peak memory stays flat (tolerance {TOLERANCE}):", "yes" if flat else "NO")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
