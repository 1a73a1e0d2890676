"""The token that a service asks every caller for: `authorization: Bearer …` in the call's metadata."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

METADATA_KEY = "authorization"
_FREE = "/grpc.health.v1.Health/"  # supervisors and balancers ask for health, and learn nothing else

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the type stubs only
Metadata: TypeAlias = tuple[tuple[str, str], ...]


def credentials(token: str) -> Metadata:
    """The metadata that carries the token; nothing when there is none.

    >>> credentials("s3cret"), credentials("")
    ((('authorization', 'Bearer s3cret'),), ())
    """
    return ((METADATA_KEY, f"Bearer {token}"),) if token else ()


class TokenInterceptor(grpc.ServerInterceptor):
    """Answers UNAUTHENTICATED to every call without the token, reflection included; health is free."""

    def __init__(self, token: str) -> None:
        self._wanted = f"Bearer {token}".encode()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_FREE):
            return handler
        for key, value in handler_call_details.invocation_metadata:
            given = value.encode("utf-8", "replace") if isinstance(value, str) else value
            if key == METADATA_KEY and hmac.compare_digest(given, self._wanted):
                return handler
        return _refusal(handler)


def _refusal(handler: Handler) -> Handler:
    """A handler of the same kind that answers UNAUTHENTICATED."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(_refuse, handler.request_deserializer, handler.response_serializer)


def _refuse(_request: Any, context: grpc.ServicerContext) -> Any:
    context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        f"send the token of ECRS_SERVICE_TOKEN as metadata, {METADATA_KEY}: Bearer …",
    )
