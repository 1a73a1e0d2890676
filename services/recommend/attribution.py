"""Attribution tokens: which list, of which release, an event goes back to. Opaque, without secrets."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

_VERSION = "1"
_SEPARATOR = "\n"


class Attribution(NamedTuple):
    """What a token says."""

    release: str
    placement: str
    request_id: str


def make_token(attribution: Attribution) -> str:
    """URL-safe text of at most 256 characters, as long as the three parts have at most 188 together."""
    text = _SEPARATOR.join((_VERSION, *attribution))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def read_token(token: str) -> Attribution:
    """What `make_token` was given. Raises ValueError for anything else."""
    try:
        raw = base64.b64decode(
            token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
        )
        version, *parts = raw.decode().split(_SEPARATOR)
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not an attribution token") from error
    if version != _VERSION or len(parts) != 3:
        raise ValueError("not an attribution token of this version")
    return Attribution(*parts)
