"""What `python -m services` and `python -m services.<name>` share: arguments, settings, logs, serve."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from services.common import log
from services.common.rpc import App, Listen, Port, serve
from services.settings import SERVICES, Settings


def run_service(
    name: str, build: Callable[[Settings], App], argv: Sequence[str] | None = None, *, waits: bool = False
) -> int:
    """Serve the service `name` until a signal; the exit code. Arguments win over settings.

    Args:
        build: opens the service; runs once in each worker process.
        waits: the service mostly waits for others (recommend), so it takes `recommend_threads`.
    """
    settings = _read()
    if settings is None:
        return 1
    parser = _parser(settings, f"services.{name}", f"The {name} service (gRPC).", settings.processes)
    parser.add_argument(
        "--port", type=_between(0, 65_535), default=settings.port(name), help="port (now %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=_between(1, 256),
        default=settings.recommend_threads if waits else settings.threads,
        help="threads of each process (now %(default)s)",
    )
    options = parser.parse_args(argv)
    ports = (Port(options.port, options.threads),)
    return _serve(name, lambda: [build(settings)], settings, options, ports)


def run_together(build: Callable[[Settings], Sequence[App]], argv: Sequence[str] | None = None) -> int:
    """Serve all five services in equal processes until a signal; the exit code.

    Args:
        build: opens the services, in the order of `SERVICES`; runs once in each worker process.
    """
    settings = _read()
    if settings is None:
        return 1
    about = "All five services (gRPC), in equal processes that share their ports."
    options = _parser(settings, "services", about, settings.worker_processes()).parse_args(argv)
    threads = dict.fromkeys(SERVICES, settings.threads) | {"recommend": settings.recommend_threads}
    ports = tuple(Port(settings.port(name), threads[name]) for name in SERVICES)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return _serve("together", lambda: build(settings), settings, options, ports, settings.state_dir)


def _read() -> Settings | None:
    """The settings; None, with a line on stderr, when one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = "ECRS_" + "_".join(str(part) for part in first["loc"]).upper()
        sys.stderr.write(f"error: {variable}: {first['msg']}\n")
        return None


def _parser(settings: Settings, module: str, about: str, processes: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument(
        "--bind", default=settings.bind, help="address to listen on (ECRS_BIND, now %(default)s)"
    )
    parser.add_argument(
        "--processes",
        type=_between(1, 64),
        default=processes,
        help="worker processes that share the port (now %(default)s)",
    )
    return parser


def _serve(
    name: str,
    build: Callable[[], Sequence[App]],
    settings: Settings,
    options: argparse.Namespace,
    ports: tuple[Port, ...],
    sockets: Path | None = None,
) -> int:
    problem = settings.exposure_problem(options.bind)
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    log.configure(settings.log_level, settings.log_format, service=name)
    deadline_s = settings.deadline_ms / 1e3
    return serve(build, Listen(options.bind, ports, options.processes, deadline_s, sockets=sockets))


def _between(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {low} to {high}, not {value}")
        return value

    return number
