"""Domain errors: what can go wrong, in no transport's words.

    EcrsError
    ├── InvalidArgument   the caller's fault; names the field
    ├── NotFound          the thing asked for does not exist
    ├── ReleaseNotLoaded  the release asked for is not loaded here (yet, or any more)
    ├── Unavailable       a dependency does not answer; trying again may help
    └── DeadlineExceeded  the time given was not enough

`services.common.rpc` maps each class to a status code in one table.
"""


class EcrsError(Exception):
    """Base of all; the message is one line for the caller, without internals.

    `dependency` names the service whose answer this is, when a client of ours raised it; empty for our own
    errors. What a dependency says about our request to it is never forwarded as our own status.
    """

    dependency: str = ""


class InvalidArgument(EcrsError):
    """A field of the request is wrong.

    Args:
        field: path of the field, for example `filter.price_min`.
        problem: what is wrong and what is allowed.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


class NotFound(EcrsError):
    """The thing asked for does not exist."""


class ReleaseNotLoaded(EcrsError):
    """The release asked for is not loaded by this process."""


class Unavailable(EcrsError):
    """A dependency does not answer."""


class DeadlineExceeded(EcrsError):
    """The time given was not enough."""
