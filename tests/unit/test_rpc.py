"""Serving and calling: status table, request ids, deadlines, breaker, retry, health, reflection."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
import structlog
from ecrs.user.v1 import user_service_pb2 as pb
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from engine import errors
from engine.errors import (
    DeadlineExceeded,
    EcrsError,
    InvalidArgument,
    NotFound,
    ReleaseNotLoaded,
    Unavailable,
)
from services.common.rpc import (
    STATUS,
    code_of,
    error_of,
    remaining_s,
    request_id,
)
from tests.support.rpc import NAME, Handler, Harness

pytestmark = pytest.mark.unit


@pytest.fixture
def harness() -> Iterator[Harness]:
    made = Harness()
    yield made
    made.target.close()
    made.server.stop(0.1)


def wait_for(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def raising(error: Exception) -> Handler:
    def handler(_user_id: str) -> bool:
        raise error

    return handler


def test_every_domain_error_has_a_status() -> None:
    classes = {
        value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, EcrsError)
    }
    assert classes == set(STATUS)
    assert len(set(STATUS.values())) == len(STATUS)


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("filter.price_min", "must be at least 0: not -1"),
        NotFound("there is no user 'ann'"),
        ReleaseNotLoaded("release 'x' is not loaded here"),
    ],
)
def test_a_domain_error_arrives_as_the_same_error_with_the_same_text(
    harness: Harness, error: EcrsError
) -> None:
    harness.handler = raising(error)
    with pytest.raises(type(error)) as caught:
        harness.call()
    assert str(caught.value) == str(error)
    assert caught.value.dependency == "user"


def test_the_field_at_fault_is_in_the_details_of_the_status(harness: Harness) -> None:
    harness.handler = raising(InvalidArgument("users[1].attributes.a: b", "must be a finite number"))
    with pytest.raises(grpc.RpcError) as caught:
        harness.stub.DeleteUser(pb.DeleteUserRequest(), timeout=2.0, metadata=(("x-request-id", "abc"),))
    status = rpc_status.from_call(caught.value)
    assert (status.code, status.message) == (3, "users[1].attributes.a: b: must be a finite number")
    request = error_details_pb2.BadRequest()
    assert [detail.Unpack(request) for detail in status.details] == [True]
    (violation,) = request.field_violations
    assert (violation.field, violation.description) == ("users[1].attributes.a: b", "must be a finite number")
    assert ("x-request-id", "abc") in [tuple(pair) for pair in caught.value.trailing_metadata()]
    with pytest.raises(InvalidArgument) as ours:
        harness.call()
    assert ours.value.field == "users[1].attributes.a: b"


def test_the_field_is_read_off_the_text_of_a_server_without_details() -> None:
    error = error_of("recall", grpc.StatusCode.INVALID_ARGUMENT, "top_k: must not be negative")
    assert isinstance(error, InvalidArgument)
    assert error.field == "top_k"


@pytest.mark.parametrize("kind", [InvalidArgument, NotFound, ReleaseNotLoaded])
def test_what_a_dependency_says_about_our_request_is_not_forwarded_as_ours(kind: type[EcrsError]) -> None:
    from_dependency = error_of("recall", STATUS[kind], "field: problem")
    assert isinstance(from_dependency, kind)
    assert code_of(from_dependency) is grpc.StatusCode.INTERNAL
    assert code_of(error_of("recall", grpc.StatusCode.UNAVAILABLE, "x")) is grpc.StatusCode.UNAVAILABLE


def test_an_unexpected_exception_is_internal_and_shows_no_trace(harness: Harness) -> None:
    harness.handler = raising(RuntimeError("secret detail"))
    with pytest.raises(grpc.RpcError) as caught:
        harness.stub.DeleteUser(pb.DeleteUserRequest(), timeout=2.0, metadata=(("x-request-id", "abc"),))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == "internal error, see the log of request abc"


def test_the_request_id_is_echoed_bound_and_passed_on(harness: Harness) -> None:
    seen: list[str] = []

    def handler(user_id: str) -> bool:
        seen.append(request_id.get())
        seen.append(structlog.contextvars.get_contextvars()["request_id"])
        if user_id == "outer":
            harness.call(user_id="inner")
        return True

    harness.handler = handler
    _, call = harness.stub.DeleteUser.with_call(
        pb.DeleteUserRequest(user_id="outer"), timeout=2.0, metadata=(("x-request-id", "abc-1"),)
    )
    assert seen == ["abc-1"] * 4
    assert ("x-request-id", "abc-1") in [tuple(pair) for pair in call.trailing_metadata()]
    assert request_id.get() == ""


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129])
def test_a_request_id_unfit_for_a_log_is_replaced(harness: Harness, bad: str) -> None:
    seen: list[str] = []
    harness.handler = lambda _: bool(seen.append(request_id.get()))
    harness.stub.DeleteUser(pb.DeleteUserRequest(), timeout=2.0, metadata=(("x-request-id", bad),))
    assert len(seen[0]) == 32


def test_handlers_get_the_callers_time_or_the_default(harness: Harness) -> None:
    seen: list[float] = []
    harness.handler = lambda _: bool(seen.append(remaining_s()))
    harness.call(timeout_s=30)
    harness.stub.DeleteUser(pb.DeleteUserRequest())
    assert 20 < seen[0] <= 30.1  # the two ends read their clocks at different moments
    assert 0 < seen[1] <= 0.31


def test_a_call_that_waited_past_its_deadline_is_dropped_without_work(harness: Harness) -> None:
    served: list[str] = []
    release = threading.Event()

    def handler(user_id: str) -> bool:
        served.append(user_id)
        return release.wait(5.0)

    harness.handler = handler
    blockers = [
        harness.stub.DeleteUser.future(pb.DeleteUserRequest(user_id="slow"), timeout=5.0) for _ in "12"
    ]
    assert wait_for(lambda: len(served) == 2)
    with pytest.raises(DeadlineExceeded):
        harness.call(timeout_s=0.1, user_id="late")
    release.set()
    for blocker in blockers:
        blocker.result(timeout=5.0)
    harness.call(user_id="next")
    assert served == ["slow", "slow", "next"]


def test_no_time_left_is_told_without_a_call(harness: Harness) -> None:
    harness.handler = raising(AssertionError("must not be called"))
    with pytest.raises(DeadlineExceeded, match="no time is left"):
        harness.call(timeout_s=0.0)


def test_unavailable_is_tried_once_more_within_the_time(harness: Harness) -> None:
    calls: list[str] = []

    def handler(user_id: str) -> bool:
        calls.append(user_id)
        if len(calls) == 1:
            raise Unavailable("not now")
        return True

    harness.handler = handler
    assert harness.call()
    assert len(calls) == 2


def test_without_retry_unavailable_is_told_at_once(harness: Harness) -> None:
    calls: list[str] = []

    def handler(user_id: str) -> bool:
        calls.append(user_id)
        raise Unavailable("not now")

    harness.handler = handler
    with pytest.raises(Unavailable, match="user does not answer: not now"):
        harness.target.call(harness.stub.DeleteUser, pb.DeleteUserRequest(), 2.0, retry=False)
    assert len(calls) == 1


def test_a_server_that_is_back_is_found_again_within_two_seconds(harness: Harness) -> None:
    harness.call()
    harness.server.stop(0.0)
    for _ in range(10):
        with pytest.raises(Unavailable):
            harness.call(timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        harness.call(timeout_s=1.0)
    assert time.monotonic() - started < 0.1  # the breaker is open: no waiting
    harness.server = harness.start()
    started = time.monotonic()

    def answers() -> bool:
        try:
            return harness.call(timeout_s=0.3)
        except EcrsError:
            return False

    assert wait_for(answers)
    assert time.monotonic() - started < 2.5


def test_health_follows_readiness_for_the_server_and_each_service(harness: Harness) -> None:
    serving, not_serving = 1, 2
    assert wait_for(lambda: harness.health() == serving)
    assert harness.health(NAME) == serving
    harness.problem = Unavailable("Redis cannot be reached")
    assert wait_for(lambda: harness.health(NAME) == not_serving)
    assert harness.health() == not_serving
    assert harness.call()  # alive all the same
    harness.problem = None
    assert wait_for(lambda: harness.health() == serving)


def test_stopping_lets_running_calls_finish_and_closes_the_app(harness: Harness) -> None:
    started = threading.Event()

    def handler(_user_id: str) -> bool:
        started.set()
        time.sleep(0.2)
        return True

    harness.handler = handler
    running = harness.stub.DeleteUser.future(pb.DeleteUserRequest(), timeout=2.0)
    assert started.wait(2.0)
    harness.server.stop(2.0)
    assert running.result(timeout=2.0).deleted
    assert harness.closed


def test_services_are_listed_by_reflection(harness: Harness) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(harness.target.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=2.0)
    names = {service.name for service in answer.list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names
