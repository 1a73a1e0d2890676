"""What belongs to the call being served: its id and its deadline. Set by the server's interceptor."""

from __future__ import annotations

import time
from contextvars import ContextVar
from uuid import uuid4

REQUEST_ID_KEY = "x-request-id"
_MAX_ID = 128

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being served; empty outside of one. Clients send it on."""

deadline: ContextVar[float] = ContextVar("deadline", default=0.0)
"""`time.monotonic()` at which the call being served ends; 0 outside of one."""


def new_request_id() -> str:
    """A fresh id: 32 hexadecimal digits."""
    return uuid4().hex


def accept_request_id(given: str) -> str:
    """The caller's id if it is fit for a log line (1 to 128 visible ASCII characters), else a new one."""
    if 0 < len(given) <= _MAX_ID and given.isascii() and given.isprintable() and " " not in given:
        return given
    return new_request_id()


def remaining_s() -> float:
    """Seconds that remain for the call being served, at least 0. Raises LookupError outside of a call."""
    end = deadline.get()
    if not end:
        raise LookupError("remaining_s() is for handlers of a running call")
    return max(end - time.monotonic(), 0.0)
