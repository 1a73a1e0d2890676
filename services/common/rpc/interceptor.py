"""The one server interceptor: request id, deadline, errors to status codes, access log, figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
import structlog

from engine.errors import EcrsError
from services.common.rpc import calls
from services.common.rpc.stats import CallStats
from services.common.rpc.status import code_of, details_of

log = structlog.get_logger()

_NO_DEADLINE_S = 1e6  # gRPC reports an absent deadline as one in centuries
_QUIET = ("/grpc.health.", "/grpc.reflection.")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the type stubs only
Unary = Callable[[Any, grpc.ServicerContext], Any]


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every unary handler of ours; health and reflection pass untouched.

    Handlers raise domain errors and never call `context.abort` themselves.
    """

    def __init__(self, default_deadline_s: float, stats: CallStats) -> None:
        self._default_s, self._stats = default_deadline_s, stats
        self._wrapped: dict[str, Handler] = {}  # by method: wrapping once keeps it off the hot path

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or method.startswith(_QUIET):
            return handler
        wrapped = grpc.unary_unary_rpc_method_handler(
            self._wrap(method, handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, method: str, inner: Unary) -> Unary:
        default_s, observe = self._default_s, self._stats.observe

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            started = time.monotonic()
            remaining = context.time_remaining()
            if remaining is None or remaining > _NO_DEADLINE_S:
                remaining = default_s
            given = next((str(v) for k, v in context.invocation_metadata() if k == calls.REQUEST_ID_KEY), "")
            request_id = calls.accept_request_id(given)
            context.set_trailing_metadata(((calls.REQUEST_ID_KEY, request_id),))
            if remaining <= 0:  # it waited in our queue for too long: nobody reads the answer any more
                log.info("call_dropped", method=method, request_id=request_id)
                observe(method, grpc.StatusCode.DEADLINE_EXCEEDED.name, time.monotonic() - started)
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the call began")
            calls.request_id.set(request_id)
            calls.deadline.set(started + remaining)
            structlog.contextvars.bind_contextvars(request_id=request_id)
            code, details = grpc.StatusCode.OK, ""
            try:
                return inner(request, context)
            except EcrsError as error:
                code, details = code_of(error), str(error)
                if violations := details_of(error, code):
                    context.set_trailing_metadata(((calls.REQUEST_ID_KEY, request_id), *violations))
                if code is grpc.StatusCode.INTERNAL:
                    log.error("call_failed", method=method, error=details, dependency=error.dependency)
                    details = _internal(request_id)
            except Exception:
                # The last line of defence of a server: whatever it is, the trace belongs into our log only.
                log.exception("call_failed", method=method)
                code, details = grpc.StatusCode.INTERNAL, _internal(request_id)
            finally:
                seconds = time.monotonic() - started
                observe(method, code.name, seconds)
                ms = round(seconds * 1e3, 2)
                if details:
                    log.info("call", method=method, code=code.name, ms=ms, details=details)
                else:
                    log.info("call", method=method, code=code.name, ms=ms)
                calls.request_id.set("")
                calls.deadline.set(0.0)
                structlog.contextvars.clear_contextvars()
            return context.abort(code, details)

        return call


def _internal(request_id: str) -> str:
    return f"internal error, see the log of request {request_id}"
