"""Sending the services' token with every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _TokenSender(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        given = client_call_details
        details = _Details(
            given.method,
            given.timeout,
            [*(given.metadata or ()), self._header],
            given.credentials,
            given.wait_for_ready,
            given.compression,
        )
        return continuation(details, request)


def with_token(channel: grpc.Channel, token: str) -> grpc.Channel:
    """The channel with `authorization: Bearer <token>` on every unary call; itself when there is no token."""
    return grpc.intercept_channel(channel, _TokenSender(token)) if token else channel
