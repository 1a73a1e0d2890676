"""What pages cost: milliseconds at two connections, and whose processor time it is.

    make up && python -m bench.web [--seconds 6] [--connections 2] [--without-cache]

Protocol: connections that are kept alive, on this machine's loopback, which Nginx does not limit; each asks
for the next page when it has read the one before. Pages: home of a first visit (every request is a new
visitor), 20 products in turn, 10 searches in turn. Through Nginx where `make up` found one, else from the
first front end. Processor time is that of each part's processes from /proc; what asks takes its share of the
same cores. `--without-cache` measures two more front ends too, behind an Nginx of their own, that ask the
services for everything every time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path

from bench import cpu, report
from engine.errors import EcrsError
from engine.types import RecommendQuery, SearchQuery
from scripts.supervision.config import render_nginx
from scripts.supervision.parts import FRONT_ENDS, TOGETHER, nginx_program
from scripts.supervision.supervisor import Supervisor
from services import bootstrap
from services.running import OtherCopyError, running_settings
from services.settings import ROOT, SERVICES, Settings

OWN_OFFSET = 800  # of the ports of the front ends and the Nginx that the benchmark starts
WARM_S = 1
TIMEOUT_S = 10
STORES = ("redis", "milvus", "serving")
WORDS = ("milk", "bread", "cheese", "apple", "chicken", "tomato", "pasta", "coffee", "chips", "salad")


@dataclass(frozen=True)
class Result:
    """A run: seconds of each page that was answered with 2xx or 3xx, and how many were not."""

    took_s: tuple[float, ...]
    failed: int


@dataclass(frozen=True)
class Way:
    """A way to the pages: its port, and the processes of its parts by name."""

    name: str
    port: int
    parts: Mapping[str, Sequence[int]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    options = _options(argv)
    try:
        settings = running_settings()
    except OtherCopyError as error:
        return _fail(str(error))
    supervisor = Supervisor(settings.state_dir)
    pids = (
        {name: one.pid for name, one in supervisor.processes().items() if one.alive}
        if supervisor.running()
        else {}
    )
    services = {TOGETHER} if settings.topology == "together" else set(SERVICES)
    if not {*services, *FRONT_ENDS} <= set(pids):
        return _fail("the system is not running here: say make up first")
    try:
        pages = _pages(settings)
    except EcrsError as error:
        return _fail(f"the services do not answer: {error}")
    print(f"{report.machine()}; {options.connections} connections, {options.seconds} s a run")
    way = _way(settings, pids)
    with ExitStack() as stack:
        ways = [way]
        if options.without_cache:
            ways.append(stack.enter_context(_uncached(settings, way)))
        measured = [
            (f"{page}, {one.name}", *measure(one, paths, options.seconds, options.connections))
            for page, paths in pages.items()
            for one in ways
        ]
    _print(measured)
    return 1 if any(result.failed for _, result, _ in measured) else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=6, help="length of a run (default %(default)s)")
    parser.add_argument(
        "--connections", type=int, default=2, help="connections at a time (default %(default)s)"
    )
    parser.add_argument(
        "--without-cache", action="store_true", help="measure front ends without the shared cache too"
    )
    return parser.parse_args(argv)


def _way(settings: Settings, pids: Mapping[str, int]) -> Way:
    """The running shop: the front ends as one part, every other process as its own."""
    parts = {"web": [pids[name] for name in FRONT_ENDS]}
    parts |= {name: [pids[name]] for name in ("nginx", *SERVICES, TOGETHER, *STORES) if name in pids}
    entrance = "nginx" if "nginx" in pids else FRONT_ENDS[0]
    return Way(f"by {entrance}", settings.port(entrance), parts)


def _print(measured: Sequence[tuple[str, Result, Mapping[str, float]]]) -> None:
    rows = []
    for name, result, _ in measured:
        p50, p95, p99 = report.percentiles(result.took_s or [0.0])
        rows.append(
            (name, str(len(result.took_s)), f"{p50:.1f}", f"{p95:.1f}", f"{p99:.1f}", str(result.failed))
        )
    report.table("Pages", ("page", "pages", "p50 ms", "p95 ms", "p99 ms", "failed"), rows)
    names = list(dict.fromkeys(name for _, _, used in measured for name in used))
    report.table(
        "Processor time, ms a page",
        ("page", *names, "all"),
        [
            (page, *(f"{used.get(name, 0.0):.1f}" for name in names), f"{sum(used.values()):.1f}")
            for page, _, used in measured
        ],
    )


def measure(
    way: Way, paths: Sequence[str], seconds: float, connections: int
) -> tuple[Result, dict[str, float]]:
    """A run, and the milliseconds of processor time that each part took a page."""
    load(way.port, paths, WARM_S, connections)
    began = time.monotonic()
    with cpu.used(way.parts) as cores:
        result = load(way.port, paths, seconds, connections)
        took_ms = (time.monotonic() - began) * 1000
    pages = max(1, len(result.took_s) + result.failed)
    return result, {name: used * took_ms / pages for name, used in cores.items()}


def load(port: int, paths: Sequence[str], seconds: float, connections: int) -> Result:
    """Ask for the paths in turn for so long, over so many connections at a time."""
    took_s: list[float] = []
    failures: list[str] = []
    turn, until = cycle(paths), time.monotonic() + seconds

    def visit() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        while time.monotonic() < until:
            path, started = next(turn), time.perf_counter()
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException) as error:
                failures.append(f"{path}: {error}")
                connection.close()
                continue
            if response.status < 400:
                took_s.append(time.perf_counter() - started)
            else:
                failures.append(f"{path}: {response.status}")
        connection.close()

    threads = [threading.Thread(target=visit) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Result(tuple(took_s), len(failures))


def _pages(settings: Settings) -> dict[str, list[str]]:
    """The addresses of each kind of page; products and words that the shop has. Raises EcrsError."""
    with bootstrap.web_clients(settings) as services:
        listed = services.recommend.recommend(RecommendQuery(user_id="bench", page_size=20), 5.0)
        words = [word for word in WORDS if services.item.search_items(SearchQuery(word), 5.0).total_count]
        if not words:  # another dataset: the first words of its titles
            words = [one.item.title.split()[0] for one in listed.items if one.item and one.item.title][:10]
    return {
        "home": ["/"],
        "product": [f"/items/{one.item_id}" for one in listed.items],
        "search": [f"/search?q={word}" for word in words],
    }


@contextmanager
def _uncached(settings: Settings, way: Way) -> Iterator[Way]:
    """Two front ends without cache behind an Nginx of their own."""
    nginx = nginx_program()
    if nginx is None:
        raise SystemExit("error: nginx is not installed (Debian: apt-get install nginx)")
    web1, web2, port = (settings.port(name) + OWN_OFFSET for name in (*FRONT_ENDS, "nginx"))
    with tempfile.TemporaryDirectory(prefix="ecrs-bench-") as name:
        folder = Path(name)
        text = render_nginx(
            folder=folder,
            user="",
            listen=f"127.0.0.1:{port}",
            web1=f"127.0.0.1:{web1}",
            web2=f"127.0.0.1:{web2}",
            root=ROOT / "webapp",
        )
        (folder / "nginx.conf").write_text(text, "utf-8")
        commands = [
            [sys.executable, "-m", "bench.web_uncached", "--port", str(number)] for number in (web1, web2)
        ]
        commands.append([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
        quiet = subprocess.DEVNULL
        programs = [subprocess.Popen(one, cwd=ROOT, stdout=quiet, stderr=quiet) for one in commands]
        try:
            deadline = time.monotonic() + 60
            while not all(_answers(number) for number in (web1, web2, port)):
                if time.monotonic() > deadline or any(program.poll() is not None for program in programs):
                    raise SystemExit(
                        f"error: the front ends without cache did not start on ports {web1}, {web2}, {port}"
                    )
                time.sleep(0.2)
            pids = [program.pid for program in programs]
            yield Way("without cache", port, {**way.parts, "web": pids[:-1], "nginx": pids[-1:]})
        finally:
            for program in programs:
                program.terminate()
            for program in programs:
                program.wait(10)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _fail(problem: str) -> int:
    sys.stderr.write(f"error: {problem}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
