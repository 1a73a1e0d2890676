"""A web front end without the shared cache, for bench.web. Started by bench/web_uncached.py."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from flask_caching import Cache

from services.bootstrap import web_clients
from services.common import log
from services.running import running_settings
from webapp import create_app
from webapp.cache import SharedCache
from webapp.cache_counters import CacheCounters
from webapp.server import serve
from webapp.shop import EXTENSION

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
