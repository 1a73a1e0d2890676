"""The client's side: one channel per target and process, deadlines, one retry, a breaker, domain errors."""

from __future__ import annotations

import json
import random
import time
from typing import TypeVar

import grpc
import structlog

from services.common.errors import DeadlineExceeded, Unavailable
from services.common.rpc import calls, tape
from services.common.rpc.breaker import Breaker
from services.common.rpc.server import MAX_MESSAGE_BYTES
from services.common.rpc.status import error_of
from services.common.rpc.token import credentials

log = structlog.get_logger()

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

_RETRY_AFTER_S = (0.005, 0.02)  # jitter: callers that failed together do not come back together
_FAIR_S = 0.05  # a call that was given less says nothing about its target when it runs out of time

_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
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
        token: what the service asks its callers for; empty: nothing.
    """

    def __init__(self, name: str, address: str, breaker: Breaker | None = None, token: str = "") -> None:
        self.name, self.address = name, address
        self._credentials = credentials(token)
        self._breaker = breaker or Breaker()
        self._channel: grpc.Channel | None = None

    def open(self) -> Target:
        """Make the channel; connects at the first call. Must run after any fork."""
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.address, options=_OPTIONS)
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
            retry: try once more on UNAVAILABLE; False where doing it twice would count twice.

        Raises the domain error of the status (`services.common.rpc.status`), with `dependency` = our name.
        """
        end = time.monotonic() + timeout_s
        if timeout_s <= 0:
            raise self._named(DeadlineExceeded(f"no time is left to ask {self.name}"))
        if not self._breaker.allow():
            raise self._named(Unavailable(f"{self.name} does not answer; asking it again within a second"))
        request_id = calls.request_id.get() or calls.new_request_id()
        metadata = ((calls.REQUEST_ID_KEY, request_id), *self._credentials)
        attempts = 2 if retry else 1
        while True:
            attempts -= 1
            given = end - time.monotonic()
            started = time.perf_counter()
            try:
                response = method(request, timeout=given, metadata=metadata)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                tape.keep(
                    self.name, self.address, request, None, started, f"{code.name}: {error.details() or ''}"
                )
                self._judge(code, given)
                if code is grpc.StatusCode.UNAVAILABLE and attempts:
                    pause = random.uniform(*_RETRY_AFTER_S)
                    left = end - time.monotonic()
                    # What took long to fail would take as long again: then rather tell than run out of time.
                    if left - pause > given - left and self._breaker.allow():
                        time.sleep(pause)
                        continue
                raise error_of(self.name, code, error.details() or code.name) from None
            tape.keep(self.name, self.address, request, response, started)
            self._breaker.success()
            return response

    def _judge(self, code: grpc.StatusCode, given_s: float) -> None:
        if code is grpc.StatusCode.UNAVAILABLE:
            self._fail()
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._fail() if given_s >= _FAIR_S else self._breaker.unclear()
        elif code is grpc.StatusCode.CANCELLED:
            self._breaker.unclear()
        else:
            self._breaker.success()  # it answers, if only to say no

    def _fail(self) -> None:
        was_open = self._breaker.is_open
        self._breaker.failure()
        if self._breaker.is_open and not was_open:
            log.warning("circuit_open", target=self.name, address=self.address)

    def _named(self, error: Unavailable | DeadlineExceeded) -> Unavailable | DeadlineExceeded:
        error.dependency = self.name
        return error
