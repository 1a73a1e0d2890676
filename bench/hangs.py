"""What shoppers notice of a part that hangs for a while: pages that fail, seconds until all is well again.

    make up && python -m bench.hangs [--repeat 3] [--stop 12] [--rate 20] [--part item --part web1]

Protocol: 20 requests a second through Nginx at fixed times, whatever became of those before: the home page of
a first visit, four products and a search in turn, each with 10 s to answer. One second later all processes of
one part are stopped (SIGSTOP), 12 s later continued (SIGCONT); the load goes on until the system is well,
and a second more. A page fails if it is late, is no 200, or is a home page with fewer than five products. The
system is well when through both front ends and Nginx a list has nothing missing (`degraded` is empty),
`/readyz` says ready, and home, product and search pages do not fail. A part is stuck when that takes more
than 20 s. "restarted": the part has another process than before.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from bench import report
from scripts.console import CommandError, fail
from scripts.supervision.supervisor import Supervisor
from services.settings import Settings

RATE, STOP_S = 20.0, 12.0
STUCK_S = 20.0
_PAGE_S = 10.0
_CARD = b'action="/events"'
_LEAST_CARDS = 5
_AT_ONCE = 400  # requests under way: 20 a second with 10 s each, and room


@dataclass
class Hang:
    """What became of one hang of one part.

    `failed`: the failed pages, as "path: what happened". `well_after_s`: from SIGCONT until all was well;
    None: not within 20 s, for the reason `problem`.
    """

    part: str
    pages: int = 0
    failed: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    well_after_s: float | None = None
    problem: str = ""
    restarted: bool = False


class Pages:
    """What visitors open: addresses, and whether an answer is a page with what it should have."""

    def __init__(self, front_end: str) -> None:
        """Finds four products and a word in the shop at `front_end`. Raises OSError."""
        listed = json.loads(_get(f"{front_end}/api/v1/recommendations?user_id=hangs&page_size=4", 30.0))
        found = [one["item_id"] for one in listed["items"]]
        title = next(
            (one["item"]["title"] for one in listed["items"] if (one.get("item") or {}).get("title")), ""
        )
        self.paths = ["/", *(f"/items/{item_id}" for item_id in found)]
        if title:
            self.paths.append(f"/search?q={quote(title.split()[0])}")

    def problem(self, base: str, path: str, timeout_s: float = _PAGE_S) -> str:
        """Open a page; empty when it is as it should be."""
        try:
            body = _get(base + path, timeout_s)
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except OSError as error:
            return str(getattr(error, "reason", "") or error or type(error).__name__)
        if path == "/" and body.count(_CARD) < _LEAST_CARDS:
            return f"{body.count(_CARD)} products"
        return "" if path == "/" or b"</html>" in body else "cut off"


class Load:
    """Visitors that come `rate` times a second, each to the next page, until the block ends."""

    def __init__(self, base: str, pages: Pages, rate: float) -> None:
        self._base, self._pages, self._every_s = base, pages, 1.0 / rate
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._thread = threading.Thread(target=self._run)
        self._lock = threading.Lock()
        self.count, self.slowest_s, self.failed = 0, 0.0, list[str]()

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(max(0.0, began + self.count * self._every_s - time.monotonic())):
            self._pool.submit(self._visit, self._pages.paths[self.count % len(self._pages.paths)])
            self.count += 1

    def _visit(self, path: str) -> None:
        started = time.monotonic()
        problem = self._pages.problem(self._base, path)
        took = time.monotonic() - started
        with self._lock:
            self.slowest_s = max(self.slowest_s, took)
            if problem:
                self.failed.append(f"{path}: {problem} after {took:.1f} s")


class System:
    """A running system: its addresses and its processes."""

    def __init__(self, settings: Settings) -> None:
        self._supervisor = Supervisor(settings.state_dir)
        host = "http://127.0.0.1"
        self.nginx = f"{host}:{settings.port('nginx')}"
        self.front_ends = tuple(f"{host}:{settings.port(name)}" for name in ("web1", "web2"))
        self.pages = Pages(self.front_ends[0])

    def parts(self) -> list[str]:
        """The names of the parts that run here."""
        return [name for name, process in self._supervisor.processes().items() if process.alive]

    def pid(self, part: str) -> int:
        """The first process of a part, which leads its process group."""
        return self._supervisor.processes()[part].pid

    def problem(self) -> str:
        """Why not all is well, asked through both front ends and Nginx; empty when it is."""
        for base in (*self.front_ends, self.nginx):
            try:
                problem = self._problem_at(base)
            except (OSError, ValueError, KeyError) as error:
                problem = str(error) or type(error).__name__
            if problem:
                return f"{base}: {problem}"
        return ""

    def _problem_at(self, base: str) -> str:
        _get(f"{base}/readyz", 3.0)
        listed = json.loads(_get(f"{base}/api/v1/recommendations?user_id=hangs&page_size=5", 3.0))
        if listed["degraded"]:
            return f"degraded: {', '.join(listed['degraded'])}"
        for path in self.pages.paths:
            if problem := self.pages.problem(base, path, 3.0):
                return f"{path}: {problem}"
        return ""


def hang(system: System, part: str, stop_s: float = STOP_S, rate: float = RATE) -> Hang:
    """Stop a part for `stop_s` seconds under load and look until all is well, for 20 s at most."""
    found = Hang(part)
    pid = system.pid(part)
    with Load(system.nginx, system.pages, rate) as load:
        time.sleep(1.0)
        with stopped(pid):
            time.sleep(stop_s)
        continued = time.monotonic()
        while found.well_after_s is None and time.monotonic() < continued + STUCK_S:
            found.problem = system.problem()
            if not found.problem:
                found.well_after_s = time.monotonic() - continued
            else:
                time.sleep(0.2)
        time.sleep(1.0)
    found.pages, found.failed, found.slowest_s = load.count, load.failed, load.slowest_s
    found.restarted = system.pid(part) != pid
    return found


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process group of `pid` stands still inside."""
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it was replaced meanwhile
            os.killpg(pid, signal.SIGCONT)


def _get(url: str, timeout_s: float) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": "text/html, application/json;q=0.9"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - our own addresses
        return answer.read()  # type: ignore[no-any-return]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code: 0 if no part was stuck and no page failed (but of Nginx itself)."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.hangs", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--repeat", type=int, default=3, help="hangs of each part (default %(default)s)")
    parser.add_argument("--stop", type=float, default=STOP_S, help="seconds of a hang (default %(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second (default %(default)s)")
    parser.add_argument("--part", action="append", help="only this part; may be given several times")
    options = parser.parse_args(argv)
    try:
        system = System(Settings())
        parts = options.part or system.parts()
    except (CommandError, OSError) as error:
        return fail("bench.hangs", f"the system does not run here: say make up first ({error})")
    print(f"{report.machine()}; {options.rate:g} requests/s, stopped for {options.stop:g} s", flush=True)
    hangs = []
    for part in parts * options.repeat:
        hangs.append(hang(system, part, options.stop, options.rate))
        print(_line(hangs[-1]), flush=True)
    columns = ("part", "hangs", "stuck", "pages", "failed", "slowest page s", "well after s", "restarted")
    report.table("Parts that hang", columns, [_row(part, hangs) for part in parts])
    bad = [one for one in hangs if one.well_after_s is None or (one.failed and one.part != "nginx")]
    return 1 if bad else 0


def _line(found: Hang) -> str:
    """One hang in words, and its failed pages by kind."""
    stuck = found.well_after_s is None
    state = f"stuck: {found.problem}" if stuck else f"well after {found.well_after_s:.1f} s"
    pages = f"{len(found.failed)} of {found.pages} pages failed, slowest {found.slowest_s:.1f} s"
    kinds = Counter(
        re.sub(r"/items/\S+:", "/items/…:", line.rpartition(" after ")[0]) for line in found.failed
    )
    lines = [f"{found.part}: {state}, {pages}{', restarted' if found.restarted else ''}"]
    return "\n".join([*lines, *(f"    {count} × {kind}" for kind, count in kinds.most_common(5))])


def _row(part: str, hangs: Sequence[Hang]) -> tuple[str, ...]:
    mine = [one for one in hangs if one.part == part]
    well = [one.well_after_s for one in mine if one.well_after_s is not None]
    return (
        part,
        str(len(mine)),
        str(len(mine) - len(well)),
        f"{sum(one.pages for one in mine):,}",
        str(sum(len(one.failed) for one in mine)),
        f"{max(one.slowest_s for one in mine):.1f}",
        f"{max(well):.1f}" if well else "–",
        str(sum(one.restarted for one in mine)),
    )


if __name__ == "__main__":
    sys.exit(main())
