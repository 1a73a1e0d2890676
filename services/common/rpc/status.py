"""The one table between domain errors and gRPC status codes, read in both directions."""

from __future__ import annotations

import grpc

from engine.errors import (
    DeadlineExceeded,
    EcrsError,
    InvalidArgument,
    NotFound,
    ReleaseNotLoaded,
    Unavailable,
)

STATUS: dict[type[EcrsError], grpc.StatusCode] = {
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    ReleaseNotLoaded: grpc.StatusCode.FAILED_PRECONDITION,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    EcrsError: grpc.StatusCode.INTERNAL,
}
"""Every class of `engine.errors`; a test asserts that none is missing."""

_ERROR = {code: error for error, code in STATUS.items()}

# What a dependency says about *our* request to it is our bug, not our caller's: it must not travel on.
_NOT_OURS_TO_FORWARD = (InvalidArgument, NotFound, ReleaseNotLoaded)


def code_of(error: EcrsError) -> grpc.StatusCode:
    """The status code our caller gets for `error`; INTERNAL for what a dependency said about our request."""
    if error.dependency and isinstance(error, _NOT_OURS_TO_FORWARD):
        return grpc.StatusCode.INTERNAL
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_of(target: str, code: grpc.StatusCode, details: str) -> EcrsError:
    """The domain error for a status that the service `target` answered; `error.dependency` is `target`."""
    kind = _ERROR.get(code, EcrsError)
    error: EcrsError
    if kind is InvalidArgument:
        name, _, problem = details.partition(": ")
        error = InvalidArgument(name, problem) if problem else InvalidArgument("request", details)
    elif kind is Unavailable or code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        error = Unavailable(f"{target} does not answer: {details}")
    elif kind is DeadlineExceeded:
        error = DeadlineExceeded(f"{target} did not answer in the time given")
    else:
        error = kind(details if kind is not EcrsError else f"{target} failed: {details}")
    error.dependency = target
    return error
