"""`make down`: stop everything that `make up` started, however it was left."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from scripts.console import CommandError, console, fail, read_settings
from scripts.supervision.leftovers import end, find_leftovers
from scripts.supervision.lock import only_one
from scripts.supervision.stopping import stop_all
from scripts.supervision.supervisor import Supervisor


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    argparse.ArgumentParser(prog="python -m scripts.down", description="Stop ECRS.").parse_args(argv)
    began = time.monotonic()
    try:
        settings = read_settings(lambda settings: settings)  # the state folder is all that counts
        with only_one(settings.state_dir):
            supervisor = Supervisor(settings.state_dir)
            try:
                stopped = stop_all(supervisor, settings.state_dir)
            except CommandError as error:  # supervisord hangs: what it ran is ended without it
                console().print(f"{error}", markup=False)
                stopped = end(find_leftovers(settings.state_dir))
                supervisor.forget()
    except CommandError as error:
        return fail("make down", error)
    except OSError as error:
        return fail("make down", error)
    text = f"stopped {', '.join(stopped)}" if stopped else "nothing was running"
    console().print(f"{text} ({time.monotonic() - began:.1f} s)", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
