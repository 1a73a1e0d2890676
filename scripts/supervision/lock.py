"""One command at a time that changes what runs from a state folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.console import CommandError


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Raises CommandError while another command works on this state folder."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"another make up, down or release works in {state_dir}: wait for it"
            ) from error
        yield
