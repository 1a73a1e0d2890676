"""`make train`: prepare the dataset if that is missing, and train a new release of it.

Arguments go to `python -m models.train`. The shop goes on serving what it serves until `make release`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scripts.console import CommandError, fail, of_this_copy, read_settings
from scripts.supervision import building


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status: 3 for a release that popularity is as good as."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        settings = read_settings(of_this_copy)
        building.check_disk(settings)
        if not building.is_prepared(settings):
            building.prepare(settings)
        problem = building.gate_problem(building.train(settings, *arguments))
        if problem:
            fail("make train", problem)
            return building.NO_BETTER
    except (CommandError, OSError) as error:
        return fail("make train", error)
    except KeyboardInterrupt:
        return fail("make train", "interrupted; the same command goes on where it was") + 129
    return 0


if __name__ == "__main__":
    sys.exit(main())
