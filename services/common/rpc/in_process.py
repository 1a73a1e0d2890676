"""Calling a service of this process as one elsewhere is called: within its time, behind a breaker, counted.

The failure policy is the same as over gRPC: a call that takes too long is left behind (its thread finishes it
and the answer is dropped), one that raises becomes a domain error that names the service, and after five
failures in a row the service is not asked for a second. Costs a change of threads, some 20 µs.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextvars import copy_context
from functools import wraps
from typing import Any, TypeVar, cast

import grpc
import structlog

from engine.errors import DeadlineExceeded, EcrsError, Unavailable
from services.common.rpc.breaker import FAIR_S, Attempt, Breaker
from services.common.rpc.stats import CallStats
from services.common.rpc.status import code_of

log = structlog.get_logger()

P = TypeVar("P")

_OK = grpc.StatusCode.OK.name
_INTERNAL = grpc.StatusCode.INTERNAL.name
_RPCS = {"rank_candidates": "RankItems", "rank_rows": "RankItems"}
"""Methods of ports that are another form of an RPC; the others have its name in lower case."""


class InProcess:
    """One service of this process, for the others in it.

    Args:
        name: of the service.
        threads: that run its calls; who finds none free waits for one, as long as there is time.
        stats: where the calls are counted, as those over gRPC are.
    """

    def __init__(self, name: str, threads: int, stats: CallStats, breaker: Breaker | None = None) -> None:
        self.name = name
        self._stats, self._breaker = stats, breaker or Breaker()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def port(self, service: P) -> P:
        """The service with each public method that has a `timeout_s` called through here."""
        return wrapped(service, self._bounded)

    def close(self) -> None:
        """Take no more calls; those in progress end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _bounded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        names = list(inspect.signature(method).parameters)
        if "timeout_s" not in names:
            return method
        place = names.index("timeout_s")
        own = method.__name__
        rpc = "/" + (_RPCS.get(own) or "".join(word.title() for word in own.split("_")))

        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) > place:
                timeout_s = args[place]

                def run(left_s: float) -> Any:
                    return method(*args[:place], left_s, *args[place + 1 :], **kwargs)

            else:
                timeout_s = kwargs.pop("timeout_s")

                def run(left_s: float) -> Any:
                    return method(*args, timeout_s=left_s, **kwargs)

            return self._call(rpc, run, timeout_s)

        return call

    def _call(self, rpc: str, run: Callable[[float], Any], timeout_s: float) -> Any:
        if timeout_s <= 0:
            raise self._named(DeadlineExceeded(f"no time is left to ask {self.name}"))
        attempt = self._breaker.attempt()
        if attempt is None:
            raise self._named(Unavailable(f"{self.name} does not answer; asking it again within a second"))
        started = time.monotonic()
        code = _OK
        with attempt:
            try:
                return self._await(run, started + timeout_s, timeout_s, attempt)
            except EcrsError as error:
                code = code_of(error).name
                self._judge(attempt, error, timeout_s)
                self._named(error)
                raise
            except Exception as error:
                # Over gRPC the trace stays in the service's log, and the caller hears of an internal error.
                code = _INTERNAL
                log.exception("call_failed", method=rpc, service=self.name)
                attempt.success()
                raise self._named(EcrsError(f"{self.name} failed: internal error")) from error
            finally:
                self._stats.observe(rpc, code, time.monotonic() - started)

    def _await(self, run: Callable[[float], Any], end: float, timeout_s: float, attempt: Attempt) -> Any:
        def within() -> Any:
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise DeadlineExceeded("the time was over before the call began")
            return run(left_s)

        future = self._pool.submit(copy_context().run, within)
        try:
            answer = future.result(timeout_s)
        except TimeoutError as error:
            future.cancel()  # if it has not begun
            if future.done() and not future.cancelled():
                raise  # of its own
            raise DeadlineExceeded(f"{self.name} did not answer in the time given") from error
        attempt.success()
        return answer

    def _judge(self, attempt: Attempt, error: EcrsError, given_s: float) -> None:
        if isinstance(error, Unavailable) or (isinstance(error, DeadlineExceeded) and given_s >= FAIR_S):
            was_open = self._breaker.is_open
            attempt.failure()
            if self._breaker.is_open and not was_open:
                log.warning("circuit_open", target=self.name, address="in process")
        elif isinstance(error, DeadlineExceeded):
            attempt.unclear()
        else:
            attempt.success()  # it answers, if only to say no

    def _named(self, error: EcrsError) -> EcrsError:
        error.dependency = error.dependency or self.name
        return error


class _Wrapped:
    """Has the methods that it is given."""

    def __init__(self, methods: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(methods)


def wrapped(service: P, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> P:
    """An object with the service's public methods, each put into `around` once."""
    known = vars(service) if isinstance(service, _Wrapped) else dir(type(service))
    names = [name for name in known if not name.startswith("_")]
    methods = {name: around(getattr(service, name)) for name in names if callable(getattr(service, name))}
    return cast(P, _Wrapped(methods))
