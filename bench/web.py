"""What pages cost through Nginx: requests per second, p50 and p99, and whose processor time it is.

    make up && python -m bench.web [--seconds 6] [--connections 8]

Protocol: wrk on this machine's loopback, which Nginx does not limit, two threads. Pages: home of a first
visit (every request is a new visitor), 20 products in turn, 10 searches in turn. "Without cache" is the same
Nginx configuration before two more front ends that ask the services for everything every time; dataset
description and category tree are kept by each process either way. Processor time is that of each part's
processes from /proc, as cores used during the run; wrk takes its share of the same cores.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
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
STORES = ("redis", "milvus", "serving")
WORDS = ("milk", "bread", "cheese", "apple", "chicken", "tomato", "pasta", "coffee", "chips", "salad")


@dataclass(frozen=True)
class Result:
    """A run of wrk: requests per second, milliseconds, answers that were not 2xx or 3xx."""

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=6, help="length of a run (default %(default)s)")
    parser.add_argument(
        "--connections", type=int, default=8, help="connections at a time (default %(default)s)"
    )
    options = parser.parse_args(argv)
    try:
        settings = running_settings()
    except OtherCopyError as error:
        return _fail(str(error))
    wrk, nginx = shutil.which("wrk"), nginx_program()
    if wrk is None or nginx is None:
        missing = "wrk" if wrk is None else "nginx"
        return _fail(f"{missing} is not installed (Debian: apt-get install {missing})")
    running = Supervisor(settings.state_dir).processes() if Supervisor(settings.state_dir).running() else {}
    alive = {name for name, one in running.items() if one.alive}
    services = {TOGETHER} if settings.topology == "together" else set(SERVICES)
    if not {*services, *FRONT_ENDS, "nginx"} <= alive:
        return _fail("the system is not running here with Nginx: say make up first")
    try:
        pages = _pages(settings)
    except EcrsError as error:
        return _fail(f"the services do not answer: {error}")
    print(f"{report.machine()}; {options.connections} connections, {options.seconds} s a run")
    groups = {
        name: [running[name].pid for name in names if name in running] for name, names in _parts().items()
    }
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecrs-bench-")))
        own = stack.enter_context(_uncached(settings, nginx, folder))
        ways = (
            ("with cache", settings.port("nginx"), groups),
            ("without", settings.port("nginx") + OWN_OFFSET, {**groups, "web tier": own}),
        )
        for page, paths in pages.items():
            for way, port, pids in ways:
                script = _script(folder, paths)
                _wrk(wrk, script, port, WARM_S, options.connections)
                with cpu.used(pids) as cores:
                    result = _wrk(wrk, script, port, options.seconds, options.connections)
                rows.append(_row(page, way, result, cores))
    report.table(
        "Pages through Nginx",
        (
            "page",
            "cache",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "failed",
            "web cores",
            "services",
            "stores",
            "web share",
        ),
        rows,
    )
    return 1 if any(row[5] != "0" for row in rows) else 0


def _parts() -> dict[str, tuple[str, ...]]:
    return {"web tier": (*FRONT_ENDS, "nginx"), "services": (*SERVICES, TOGETHER), "stores": STORES}


def _row(page: str, way: str, result: Result, cores: dict[str, float]) -> tuple[str, ...]:
    web, services, stores = cores["web tier"], cores["services"], cores["stores"]
    return (
        page,
        way,
        f"{result.rate:,.0f}",
        f"{result.p50_ms:.1f}",
        f"{result.p99_ms:.1f}",
        str(result.failed),
        f"{web:.2f}",
        f"{services:.2f}",
        f"{stores:.2f}",
        f"{web / max(1e-9, web + services + stores):.0%}",
    )


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


def _script(folder: Path, paths: Sequence[str]) -> Path:
    """What wrk runs: the addresses in turn."""
    listed = ", ".join(f'"{path}"' for path in paths)
    script = folder / "paths.lua"
    script.write_text(
        f"local paths = {{{listed}}}\n"
        "local at = 0\n"
        "request = function()\n"
        "  at = at % #paths + 1\n"
        '  return wrk.format("GET", paths[at])\n'
        "end\n",
        "utf-8",
    )
    return script


def _wrk(program: str, script: Path, port: int, seconds: int, connections: int) -> Result:
    command = [
        program,
        "-t2",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "--latency",
        "-s",
        str(script),
    ]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    )
    return parse(done.stdout)


def parse(text: str) -> Result:
    """The figures in what `wrk --latency` prints."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p50, p99 = (re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.M) for percent in (50, 99))
    if rate is None or p50 is None or p99 is None:
        raise ValueError(f"wrk printed something else: {text!r}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = int(refused[1]) if refused else 0
    failed += sum(map(int, sockets.groups())) if sockets else 0
    return Result(float(rate[1]), _ms(p50), _ms(p99), failed)


def _ms(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[found[2]]


@contextmanager
def _uncached(settings: Settings, nginx: str, folder: Path) -> Iterator[list[int]]:
    """Two front ends without cache behind an Nginx of their own; their pids."""
    web1, web2, port = (settings.port(name) + OWN_OFFSET for name in (*FRONT_ENDS, "nginx"))
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
        yield [program.pid for program in programs]
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
