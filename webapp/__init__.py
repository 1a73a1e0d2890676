"""The web tier: the shop, server-rendered, on top of the services' ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from services.settings import Settings
    from webapp.shop import Services
    from webapp.stores import Stores


def create_app(
    settings: Settings,
    services: Services,
    cache_type: str = "webapp.cache.JsonRedisCache",
    stores: Stores | None = None,
) -> Flask:
    """The WSGI application.

    Args:
        settings: where Redis, the state folder and the prepared data are; the deadline.
        services: the ports `user`, `item` and `recommend`, open; the caller closes them.
        cache_type: a Flask-Caching backend; tests use `SimpleCache`.
        stores: carts, orders and accounts; None: those in Redis.

    The import is inside because `python -m webapp` imports this package before gevent has patched anything.
    """
    from webapp.app import build_app  # noqa: PLC0415

    return build_app(settings, services, cache_type, stores)
