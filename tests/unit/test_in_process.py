"""Calls between services of one process: in time, behind a breaker, with domain errors, counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from engine.errors import DeadlineExceeded, EcrsError, InvalidArgument, NotFound, Unavailable
from services.common.rpc import Breaker, CallStats, InProcess, request_id

pytestmark = pytest.mark.unit


class Service:
    """One method, which does what a test wants."""

    def __init__(self) -> None:
        self.does: Callable[[], str] = lambda: "done"
        self.calls: list[tuple[str, float, int]] = []

    def get_thing(self, name: str, timeout_s: float, size: int = 1) -> str:
        self.calls.append((name, timeout_s, size))
        return self.does()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def stats() -> CallStats:
    return CallStats()


@pytest.fixture
def port(service: Service, stats: CallStats) -> Iterator[Service]:
    caller = InProcess("thing", 2, stats, Breaker(failures=2, probe_s=0.2))
    yield caller.port(service)
    caller.close()


def failing(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


def test_arguments_answers_and_the_remaining_time_pass_through(port: Service, service: Service) -> None:
    assert port.get_thing("a", 1.0, size=3) == "done"
    assert port.get_thing("b", size=4, timeout_s=0.5) == "done"

    (first, given, size), (second, less, other) = service.calls
    assert (first, size, second, other) == ("a", 3, "b", 4)
    assert 0.5 < given <= 1.0
    assert 0 < less <= 0.5


def test_who_is_too_slow_is_left_behind_and_the_next_call_does_not_wait(
    port: Service, service: Service
) -> None:
    end = threading.Event()
    service.does = lambda: str(end.wait(10))
    for _ in range(3):  # two threads are held; the third call waits for one
        started = time.monotonic()
        with pytest.raises((DeadlineExceeded, Unavailable)) as caught:
            port.get_thing("a", 0.1)
        assert time.monotonic() - started < 0.5
        assert caught.value.dependency == "thing"
    end.set()


def test_no_time_left_is_an_error_without_a_call(port: Service, service: Service) -> None:
    with pytest.raises(DeadlineExceeded):
        port.get_thing("a", 0.0)
    assert service.calls == []


def test_failures_in_a_row_open_the_circuit_and_a_good_probe_closes_it(
    port: Service, service: Service
) -> None:
    service.does = failing(Unavailable("Redis cannot be reached"))
    for _ in range(4):
        with pytest.raises(Unavailable):
            port.get_thing("a", 1.0)
    assert len(service.calls) == 2

    service.does = lambda: "done"
    time.sleep(0.25)
    assert port.get_thing("a", 1.0) == "done"
    assert port.get_thing("a", 1.0) == "done"


@pytest.mark.parametrize("error", [NotFound("no"), InvalidArgument("a", "bad")])
def test_refusals_pass_with_the_name_of_the_service_and_open_nothing(
    port: Service, service: Service, error: EcrsError
) -> None:
    service.does = failing(error)
    for _ in range(4):
        with pytest.raises(type(error)) as caught:
            port.get_thing("a", 1.0)
        assert caught.value.dependency == "thing"
    assert len(service.calls) == 4


def test_a_bug_of_the_service_is_told_without_its_insides(port: Service, service: Service) -> None:
    service.does = failing(TimeoutError("secret"))
    with pytest.raises(EcrsError, match="thing failed: internal error") as caught:
        port.get_thing("a", 1.0)
    assert type(caught.value) is EcrsError


def test_calls_are_counted_by_the_names_of_the_contract(
    port: Service, service: Service, stats: CallStats
) -> None:
    port.get_thing("a", 1.0)
    service.does = failing(Unavailable("away"))
    with pytest.raises(Unavailable):
        port.get_thing("a", 1.0)
    figures = stats.last_minute()["GetThing"]
    assert (figures["count"], figures["errors"]) == (2, 1)


def test_the_service_sees_the_request_s_id(port: Service, service: Service) -> None:
    service.does = request_id.get
    token = request_id.set("r-1")
    try:
        assert port.get_thing("a", 1.0) == "r-1"
    finally:
        request_id.reset(token)


def test_wrapping_may_be_repeated(service: Service, stats: CallStats) -> None:
    inner, outer = InProcess("inner", 1, stats), InProcess("outer", 1, stats)
    assert outer.port(inner.port(service)).get_thing("a", 1.0) == "done"
    for caller in (inner, outer):
        caller.close()
