"""The client's side: one channel per target and process, deadlines, one retry, a breaker, domain errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import structlog

from engine.errors import DeadlineExceeded, EcrsError, Unavailable
from services.common.rpc import calls, tape
from services.common.rpc.breaker import FAIR_S, Attempt, Breaker
from services.common.rpc.server import MAX_MESSAGE_BYTES
from services.common.rpc.service_config import service_config
from services.common.rpc.status import error_of, invalid_argument_of
from services.common.rpc.token import credentials

log = structlog.get_logger()

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

_LATE_S = 1.0  # beyond the deadline: gRPC tells of that itself
_AT_ONCE = 16

_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.enable_retries", 0),  # ours, below, knows the time that remains
    # A killed server is back within a second or two; the default backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]


class Target:
    """A service elsewhere. One per address and process, made in the composition root, shared by threads.

    Args:
        name: the service: "user", "item", "recall", "rank" or "recommend"; says which deadlines and retries
            hold (`service_config`).
        token: what the service asks its callers for; empty: nothing.
        greenlets: whether callers are gevent's greenlets. A blocking call holds one of the ten threads that
            gevent has for all of them until it ends; a target that hangs would keep the others waiting. So
            calls do not block, and each target is asked at most 16 things at a time; the rest wait for their
            turn: all at once, as after a hang, they would all be too late.
    """

    def __init__(
        self,
        name: str,
        address: str,
        breaker: Breaker | None = None,
        *,
        token: str = "",
        greenlets: bool = False,
    ) -> None:
        self.name, self.address = name, address
        self._credentials = credentials(token)
        self._breaker = breaker or Breaker()
        self._invoke: Callable[..., Any] = _in_background if greenlets else _blocking
        self._turns = threading.BoundedSemaphore(_AT_ONCE) if greenlets else None
        self._channel: grpc.Channel | None = None

    def open(self) -> Target:
        """Make the channel; connects at the first call. Must run after any fork."""
        if self._channel is None:
            config = ("grpc.service_config", service_config(self.name).text)
            self._channel = grpc.insecure_channel(self.address, options=[config, *_OPTIONS])
        return self

    def close(self) -> None:
        """End the channel and its calls."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    @property
    def channel(self) -> grpc.Channel:
        """The open channel, for generated stubs."""
        if self._channel is None:
            raise Unavailable(f"the client of {self.name} is not open")
        return self._channel

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[RequestT, ResponseT],
        request: RequestT,
        timeout_s: float,
        *,
        retry: bool = True,
    ) -> ResponseT:
        """Call `method` of a stub within `timeout_s` seconds, retry included.

        Args:
            retry: as the service's retry policy says; False where doing it twice would count twice.

        Raises the domain error of the status (`services.common.rpc.status`), with `dependency` = our name.
        """
        end = time.monotonic() + timeout_s
        if timeout_s <= 0:
            raise self._named(DeadlineExceeded(f"no time is left to ask {self.name}"))
        if self._turns is None:
            return self._call(method, request, end, retry=retry)
        if not self._turns.acquire(timeout=timeout_s):
            raise self._named(DeadlineExceeded(f"too many wait for {self.name}"))
        try:
            return self._call(method, request, end, retry=retry)
        finally:
            self._turns.release()

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[RequestT, ResponseT],
        request: RequestT,
        end: float,
        *,
        retry: bool,
    ) -> ResponseT:
        request_id = calls.request_id.get() or calls.new_request_id()
        metadata = ((calls.REQUEST_ID_KEY, request_id), *self._credentials)
        error: EcrsError = self._named(
            Unavailable(f"{self.name} does not answer; asking it again within a second")
        )
        policy = service_config(self.name).retry
        most = policy.max_attempts if retry else 1
        for attempts in range(1, most + 1):
            attempt = self._breaker.attempt()
            if attempt is None:
                raise error
            given = end - time.monotonic()
            code = grpc.StatusCode.OK
            started = time.perf_counter()
            with attempt:
                try:
                    response: ResponseT = self._invoke(method, request, given, metadata)
                except grpc.RpcError as failed:
                    code, details = failed.code(), failed.details() or ""
                    self._judge(attempt, code, given)
                    error = error_of(self.name, code, details or code.name, invalid_argument_of(failed))
                except grpc.FutureTimeoutError:  # gRPC itself should have ended the call by now
                    code, details = grpc.StatusCode.DEADLINE_EXCEEDED, "gRPC did not end the call"
                    self._judge(attempt, code, given)
                    error = error_of(self.name, code, details)
                except BaseException:
                    # Whoever waited was stopped (a killed greenlet, a signal).
                    self._judge(attempt, grpc.StatusCode.DEADLINE_EXCEEDED, attempt.waited_s)
                    raise
                else:
                    attempt.success()
                    tape.keep(self.name, self.address, request, response, started)
                    return response
            tape.keep(self.name, self.address, request, None, started, f"{code.name}: {details}")
            pause = policy.pause_s(attempts)
            left = end - time.monotonic()
            # What took long to fail would take as long again: then rather tell than run out of time.
            if attempts == most or code not in policy.codes or left - pause <= given - left:
                break
            time.sleep(pause)
        raise error

    def _judge(self, attempt: Attempt, code: grpc.StatusCode, given_s: float) -> None:
        if code is grpc.StatusCode.UNAVAILABLE:
            self._fail(attempt)
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._fail(attempt) if given_s >= FAIR_S else attempt.unclear()
        elif code is grpc.StatusCode.CANCELLED:
            attempt.unclear()
        else:
            attempt.success()  # it answers, if only to say no

    def _fail(self, attempt: Attempt) -> None:
        was_open = self._breaker.is_open
        attempt.failure()
        if self._breaker.is_open and not was_open:
            log.warning("circuit_open", target=self.name, address=self.address)

    def _named(self, error: Unavailable | DeadlineExceeded) -> Unavailable | DeadlineExceeded:
        error.dependency = self.name
        return error


Metadata = tuple[tuple[str, str], ...]


def _blocking(
    method: grpc.UnaryUnaryMultiCallable[RequestT, ResponseT],
    request: RequestT,
    timeout_s: float,
    metadata: Metadata,
) -> ResponseT:
    return method(request, timeout=timeout_s, metadata=metadata)


def _in_background(
    method: grpc.UnaryUnaryMultiCallable[RequestT, ResponseT],
    request: RequestT,
    timeout_s: float,
    metadata: Metadata,
) -> ResponseT:
    """The call in gRPC's own thread; it is cancelled if whoever waits for it is stopped."""
    call = method.future(request, timeout=timeout_s, metadata=metadata)
    try:
        return call.result(timeout_s + _LATE_S)
    finally:
        call.cancel()  # does nothing to a call that has ended
