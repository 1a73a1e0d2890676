"""Command line and failures that the embedded programs share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.common.process import wait_for_free_port

HOST = "127.0.0.1"
_PREDECESSOR_MAY_TAKE_S = 3.0


class CannotStart(Exception):
    """One line that says why, and what to do."""


def parse(
    name: str,
    default_port: int,
    default_dir: str,
    argv: list[str] | None,
    choices: Mapping[str, Sequence[str]] | None = None,
) -> tuple[int, Path, argparse.Namespace]:
    """`--port` and `--dir`, whose folder is created, and all options.

    Args:
        choices: options of this program by name, with what they may be, the default first.

    Raises:
        CannotStart: the folder cannot be created or written, or the port stays in use.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m services.embedded.{name}",
        description=f"Run {name.title()} on loopback, its data in a folder; ends with its parent.",
    )
    parser.add_argument("--port", type=_port, default=default_port, help="default %(default)s")
    parser.add_argument("--dir", type=Path, default=Path(default_dir), help="data, default %(default)s")
    for option, values in (choices or {}).items():
        parser.add_argument(f"--{option}", choices=values, default=values[0], help="default %(default)s")
    options = parser.parse_args(argv)
    folder: Path = options.dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise CannotStart(f"cannot write to {folder}: {error.strerror}") from error
    if not wait_for_free_port(HOST, options.port, _PREDECESSOR_MAY_TAKE_S):
        raise CannotStart(f"port {options.port} on {HOST} is in use: free it or choose another --port")
    return options.port, folder, options


def fail(name: str, error: CannotStart) -> int:
    """Write the one line; returns the exit status."""
    sys.stderr.write(f"{name}: {error}\n")
    return 1


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)
