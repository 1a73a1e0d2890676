"""Rate limits: how often one address may post what is worth abusing; counted in Redis for all front ends.

While Redis does not answer, each front end counts for itself.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from webapp.passwords import normal_login

BY_ADDRESS = {
    "shop.sign_in_as": "30 per minute",
    "shop.sign_in_with_password": "30 per minute; 300 per hour",
    "shop.register": "20 per minute; 200 per hour",
    "shop.record_event": "240 per minute",
    "shop.add_to_cart": "120 per minute",
    "shop.change_cart": "120 per minute",
    "shop.place_order": "20 per minute",
    "shop.save_profile": "20 per minute",
    "shop.delete_my_data": "10 per minute",
}
"""Endpoint → limit. Generous: a household, a school or an office may share one address."""
BY_LOGIN = {"shop.sign_in_with_password": "10 per minute; 60 per hour"}
"""Guesses at one account, from however many addresses."""


def install(app: Flask, redis_url: str, enabled: bool) -> None:
    """Put the limits around the views, which must be registered by now."""
    if not enabled:
        return
    quickly: Any = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri=_storage(redis_url),
        storage_options=quickly,
        key_prefix="ecrs:web:limit",
        headers_enabled=True,
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # a limit that cannot be counted must not close the shop
    )
    for limits, who in ((BY_ADDRESS, get_remote_address), (BY_LOGIN, _login)):
        for endpoint, limit in limits.items():
            view: Any = app.view_functions[endpoint]
            app.view_functions[endpoint] = limiter.limit(limit, key_func=who, methods=["POST"])(view)


def _login() -> str:
    """The account that is asked for, hashed: names of shoppers do not stand in keys of Redis."""
    name = normal_login(request.form.get("login", ""))
    return "login-" + hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _storage(redis_url: str) -> str:
    """The address as the library spells it."""
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url
