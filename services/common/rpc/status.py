"""Domain errors ↔ gRPC statuses: the one table of codes, and the field at fault as google.rpc.BadRequest."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

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


def details_of(error: EcrsError, code: grpc.StatusCode) -> tuple[tuple[str, str | bytes], ...]:
    """Trailing metadata that name the field at fault (google.rpc.BadRequest); empty for other errors."""
    if not isinstance(error, InvalidArgument) or code is not grpc.StatusCode.INVALID_ARGUMENT:
        return ()
    status = status_pb2.Status(code=code.value[0], message=str(error))
    violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.problem)
    status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return tuple(rpc_status.to_status(status).trailing_metadata)


def invalid_argument_of(failed: grpc.RpcError) -> InvalidArgument | None:
    """The first violated field that the details of an INVALID_ARGUMENT name; None where they name none."""
    if not isinstance(failed, grpc.Call) or failed.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return None
    try:
        status = rpc_status.from_call(failed)
    except ValueError:  # details of another status than the call's
        return None
    request = error_details_pb2.BadRequest()
    for detail in status.details if status is not None else ():
        if detail.Unpack(request) and request.field_violations:
            return InvalidArgument(request.field_violations[0].field, request.field_violations[0].description)
    return None


def error_of(
    target: str, code: grpc.StatusCode, details: str, invalid: InvalidArgument | None = None
) -> EcrsError:
    """The domain error for a status that the service `target` answered; `error.dependency` is `target`.

    Args:
        invalid: what `invalid_argument_of` found; None for servers that send no details.
    """
    kind = _ERROR.get(code, EcrsError)
    error: EcrsError
    if kind is InvalidArgument and invalid is not None:
        error = invalid
    elif kind is InvalidArgument:
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
