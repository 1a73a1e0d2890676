"""`python -m bench.web_uncached --port PORT`: a web front end without the shared cache, for bench.web."""

from __future__ import annotations

from webapp.patch import patch_for_gevent

patch_for_gevent()  # before every other import

import argparse  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402
from typing import Any, TypeVar  # noqa: E402

from flask_caching import Cache  # noqa: E402

from services.bootstrap import web_clients  # noqa: E402
from services.common import log  # noqa: E402
from services.running import running_settings  # noqa: E402
from webapp import create_app  # noqa: E402
from webapp.cache import SharedCache  # noqa: E402
from webapp.cache_counters import CacheCounters  # noqa: E402
from webapp.server import serve  # noqa: E402
from webapp.shop import EXTENSION  # noqa: E402

T = TypeVar("T")


class NoCache(SharedCache):
    """Asks the source every time."""

    def fetch(
        self, key: str, fresh_s: float, load: Callable[[], Any], decode: Callable[[Any], T], keep_s: int = 0
    ) -> T:
        """What `load` gives."""
        return decode(load())


def main() -> None:
    """Serve on loopback until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.web_uncached")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    settings = running_settings()
    log.configure("ERROR", "json", service="web")
    with web_clients(settings) as services:
        app = create_app(settings, services)
        uncached = NoCache(Cache(app, config={"CACHE_TYPE": "NullCache"}), CacheCounters(settings.redis()))
        app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], shared=uncached)
        serve(app, "127.0.0.1", port)


if __name__ == "__main__":
    main()
