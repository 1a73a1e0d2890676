"""`make load`: the prepared data (users, items, histories) into Redis, while the shop runs or not.

    python -m scripts.load                what `data.prepare` wrote, unless it is loaded already
    python -m scripts.load --overwrite    load it in any case; it wins over earlier writes through the API

Without `--overwrite`, profiles, items and availability written through the API stay as they are; users
deleted through the API stay deleted in any case. Models are not touched: `make release` switches those.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import redis

from scripts.console import CommandError, console, fail, read_settings
from scripts.supervision import building
from scripts.supervision.lock import only_one


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.load", description="Load the prepared data.")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="let the data win over profiles, items and availability written through the API before now",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    options = _parse(argv)
    try:
        settings, out = read_settings(), console()
        with only_one(settings.state_dir):
            if not building.is_prepared(settings):
                building.prepare(settings)
            building.upgrade_store(settings)
            if building.data_is_loaded(settings) and not options.overwrite:
                out.print(f"{settings.dataset} is loaded as prepared: nothing to do", markup=False)
                return 0
            building.load_data(settings, *(["--overwrite"] if options.overwrite else []))
            out.print(f"{settings.dataset} is loaded; make release serves models of it", markup=False)
    except (CommandError, OSError) as error:
        return fail("make load", error)
    except redis.RedisError as error:
        return fail("make load", f"Redis: {error}: say make up first")
    except KeyboardInterrupt:
        return fail("make load", "interrupted; the same command goes on where it was") + 129
    return 0


if __name__ == "__main__":
    sys.exit(main())
