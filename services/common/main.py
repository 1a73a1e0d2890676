"""What the five `python -m services.<name>` have in common: arguments, settings, logs, serve."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from services.common import log
from services.common.rpc import App, Listen, serve
from services.settings import Settings


def run_service(
    name: str, build: Callable[[Settings], App], argv: Sequence[str] | None = None, *, waits: bool = False
) -> int:
    """Serve the service `name` until a signal; the exit code. Arguments win over settings.

    Args:
        build: opens the service; runs once in each worker process.
        waits: the service mostly waits for others (recommend), so it takes `recommend_threads`.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = "ECRS_" + "_".join(str(part) for part in first["loc"]).upper()
        sys.stderr.write(f"error: {variable}: {first['msg']}\n")
        return 1
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{name}", description=f"The {name} service (gRPC)."
    )
    parser.add_argument(
        "--bind", default=settings.bind, help="address to listen on (ECRS_BIND, now %(default)s)"
    )
    parser.add_argument(
        "--port", type=_between(0, 65_535), default=settings.port(name), help="port (now %(default)s)"
    )
    parser.add_argument(
        "--processes",
        type=_between(1, 64),
        default=settings.processes,
        help="worker processes that share the port (ECRS_PROCESSES, now %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=_between(1, 256),
        default=settings.recommend_threads if waits else settings.threads,
        help="threads of each process (now %(default)s)",
    )
    options = parser.parse_args(argv)
    problem = settings.exposure_problem(options.bind)
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    log.configure(settings.log_level, settings.log_format, service=name)
    return serve(
        lambda: build(settings),
        Listen(
            host=options.bind,
            port=options.port,
            threads=options.threads,
            processes=options.processes,
            default_deadline_s=settings.deadline_ms / 1e3,
        ),
    )


def _between(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {low} to {high}, not {value}")
        return value

    return number
