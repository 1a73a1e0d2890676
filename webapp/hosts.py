"""The name under which a request came."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request


def host_name() -> str:
    """The host of the request without its port, in lower case; empty if it names none that can be read."""
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""
