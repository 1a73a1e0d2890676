"""The breaker: when it lets calls through, and that every way out of a call settles it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gevent
import grpc
import pytest
from ecrs.user.v1 import user_service_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DeadlineExceeded, EcrsError, Unavailable
from services.common.rpc import Breaker, Target
from services.common.rpc.breaker import Attempt

pytestmark = pytest.mark.unit


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def allowed(breaker: Breaker) -> Attempt:
    attempt = breaker.attempt()
    assert attempt is not None
    return attempt


def opened(clock: Clock, failures: int = 1, **options: float) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(failures=failures, probe_s=1.0, clock=clock, **options)
    for _ in range(failures):
        allowed(breaker).failure()
    assert breaker.is_open
    return breaker


def test_it_opens_probes_once_and_closes() -> None:
    clock = Clock()
    breaker = opened(clock, failures=3)
    assert breaker.attempt() is None
    clock.now = 1.1
    probe = allowed(breaker)
    assert breaker.attempt() is None  # one probe at a time
    probe.failure()
    assert breaker.attempt() is None
    clock.now = 2.2
    allowed(breaker).success()
    allowed(breaker)
    assert not breaker.is_open


def test_a_failure_between_successes_does_not_open_it() -> None:
    breaker = Breaker(failures=2)
    for _ in range(5):
        allowed(breaker).failure()
        allowed(breaker).success()
    assert not breaker.is_open


def test_a_probe_that_says_nothing_lets_the_next_one_through() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1.1
    allowed(breaker).unclear()
    allowed(breaker)


def test_a_probe_that_is_lost_ends_by_itself_and_cannot_end_a_later_one() -> None:
    clock = Clock()
    breaker = opened(clock, lost_s=5.0)
    clock.now = 1.1
    lost = allowed(breaker)
    clock.now = 6.0
    assert breaker.attempt() is None
    clock.now = 6.2
    allowed(breaker)
    lost.unclear()
    assert breaker.attempt() is None  # the second probe is still out


def test_calls_from_before_neither_end_the_probe_nor_put_the_next_one_off() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, probe_s=1.0, clock=clock)
    early, later, last = (allowed(breaker) for _ in range(3))
    early.failure()
    clock.now = 0.9
    later.failure()
    clock.now = 1.1
    probe = allowed(breaker)
    last.failure()
    assert breaker.attempt() is None
    probe.success()
    assert not breaker.is_open


def test_a_block_left_by_an_exception_settles_its_attempt() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1.1
    with pytest.raises(gevent.GreenletExit), allowed(breaker):
        raise gevent.GreenletExit
    allowed(breaker)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_whatever_becomes_of_calls_a_target_that_answers_again_is_used_again(seed: int, limit: int) -> None:
    """Random calls that overlap, end in every way in any order, or never: then a good one must pass."""
    draw = random.Random(seed)
    clock = Clock()
    breaker = Breaker(failures=limit, probe_s=1.0, clock=clock, lost_s=5.0)
    under_way: list[Attempt] = []
    for _ in range(60):
        clock.now += draw.choice([0.0, 0.1, 1.5])
        if draw.random() < 0.6:
            attempt = breaker.attempt()
            if attempt is not None and draw.random() < 0.9:  # one in ten is never heard of again
                under_way.append(attempt)
        elif under_way:
            attempt = under_way.pop(draw.randrange(len(under_way)))
            draw.choice([attempt.failure, attempt.failure, attempt.unclear, attempt.success])()
    clock.now += 5.1
    allowed(breaker).success()
    assert not breaker.is_open
    assert breaker.attempt() is not None


class Failed(grpc.RpcError):
    """A call's end with a status, as gRPC raises it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "for the test"


class Method:
    """A stub's method that does what the test wants, called either way."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self.cancelled = 0

    def __call__(self, *_: object, **__: object) -> Any:
        return self._act()

    def future(self, *_: object, **__: object) -> Method:
        return self

    def result(self, _: float) -> Any:
        return self._act()

    def cancel(self) -> None:
        self.cancelled += 1


def raising(error: BaseException, after_s: float = 0.0) -> Callable[[], Any]:
    def act() -> Any:
        time.sleep(after_s)
        raise error

    return act


WAYS_OUT: dict[str, tuple[Callable[[], Any], type[BaseException] | None]] = {
    "success": (pb.DeleteUserResponse, None),
    **{code.name: (raising(Failed(code)), EcrsError) for code in grpc.StatusCode if code.value[0]},
    "gRPC does not end it": (raising(grpc.FutureTimeoutError()), DeadlineExceeded),
    "an exception": (raising(ValueError("for the test")), ValueError),
    "a killed greenlet": (raising(gevent.GreenletExit(), 0.06), gevent.GreenletExit),
    "a killed greenlet, at once": (raising(gevent.GreenletExit()), gevent.GreenletExit),
    "a timeout of gevent": (raising(gevent.Timeout(1)), gevent.Timeout),
    "a signal": (raising(KeyboardInterrupt()), KeyboardInterrupt),
    "the end of the program": (raising(SystemExit()), SystemExit),
}


@pytest.mark.parametrize("greenlets", [False, True])
@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_of_a_probe_lets_the_next_call_through(way: str, greenlets: bool) -> None:
    clock = Clock()
    breaker = opened(clock)
    target = Target("user", "127.0.0.1:1", breaker, greenlets=greenlets)
    act, error = WAYS_OUT[way]
    method = Method(act)
    clock.now = 1.1
    if error is None:
        target.call(method, pb.DeleteUserRequest(), 1.0)  # type: ignore[arg-type]
    else:
        with pytest.raises(error):
            target.call(method, pb.DeleteUserRequest(), 1.0)  # type: ignore[arg-type]
    clock.now = 2.2
    answer = Method(lambda: pb.DeleteUserResponse(deleted=True))
    assert target.call(answer, pb.DeleteUserRequest(), 1.0).deleted  # type: ignore[arg-type]
    assert not breaker.is_open
    assert answer.cancelled == int(greenlets)


def test_calls_whose_callers_were_killed_while_they_waited_open_it() -> None:
    breaker = Breaker(failures=2)
    target = Target("user", "127.0.0.1:1", breaker)
    for _ in range(2):
        with pytest.raises(gevent.GreenletExit):
            target.call(Method(raising(gevent.GreenletExit(), 0.06)), pb.DeleteUserRequest(), 1.0)  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="asking it again within a second"):
        target.call(Method(lambda: None), pb.DeleteUserRequest(), 1.0)  # type: ignore[arg-type]


def test_with_greenlets_a_target_is_asked_sixteen_things_at_a_time() -> None:
    target = Target("user", "127.0.0.1:1", Breaker(), greenlets=True)
    hold, asked = threading.Event(), list[int]()

    def answer() -> pb.DeleteUserResponse:
        asked.append(1)
        hold.wait(5)
        return pb.DeleteUserResponse()

    def call() -> None:
        target.call(Method(answer), pb.DeleteUserRequest(), 5.0)  # type: ignore[arg-type]

    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(call) for _ in range(16)]
        deadline = time.monotonic() + 5
        while len(asked) < 16:
            assert time.monotonic() < deadline
        with pytest.raises(DeadlineExceeded, match="too many wait for user"):
            target.call(Method(pb.DeleteUserResponse), pb.DeleteUserRequest(), 0.05)  # type: ignore[arg-type]
        hold.set()
        for one in calls:
            one.result(5)
    assert len(asked) == 16
    target.call(Method(pb.DeleteUserResponse), pb.DeleteUserRequest(), 0.05)  # type: ignore[arg-type]
