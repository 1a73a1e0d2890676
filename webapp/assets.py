"""Addresses of static files: they carry a digest of the content, so that browsers may keep them for long."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import request, url_for

STATIC = Path(__file__).parent / "static"


def static_url(filename: str) -> str:
    """The address of a file under `static/`."""
    return _address(filename, request.script_root)


@lru_cache(maxsize=256)
def _address(filename: str, script_root: str) -> str:
    """Made once for each file (and place of the shop below its host): a page names some a hundred times."""
    return url_for("static", filename=filename, v=_digest(filename))


@lru_cache(maxsize=64)
def _digest(filename: str) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:12]
