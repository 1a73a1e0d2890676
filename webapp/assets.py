"""Addresses of static files: they carry a digest of the content, so that browsers may keep them for long."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import url_for

STATIC = Path(__file__).parent / "static"


def static_url(filename: str) -> str:
    """The address of a file under `static/`."""
    return url_for("static", filename=filename, v=_digest(filename))


@lru_cache(maxsize=64)
def _digest(filename: str) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:12]
