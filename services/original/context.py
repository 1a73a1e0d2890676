"""Who the original contract's callers mean: a stored user, a new one with demographics, or both.

Callers in the wild send an id only, demographics with the id "0" or "-1", and "5" where the data says "5.0".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from original import user_info_pb2

from engine.errors import EcrsError
from engine.features import UserContext, canonical
from engine.ids import canonical_id
from engine.vocabulary import MAX_HISTORY
from services.common.ports import UserPort
from services.common.validate import check_id
from services.common.values import now_ms

MAX_LOG_ID = 128
_NO_ID = frozenset(("", "0", "-1"))
_USER_SHARE = 0.4  # of the time that remains, for reading the stored user

log = structlog.get_logger()


@dataclass(frozen=True)
class GivenUser:
    """What the caller says: `user_id` "" for a user without one; `profile` of the dataset's features only."""

    user_id: str
    profile: dict[str, str]


def given_user(
    info: user_info_pb2.UserInfo, attribute_names: frozenset[str] | None, user_id: str = ""
) -> GivenUser:
    """The user of a request.

    Args:
        attribute_names: the dataset's user features; other fields are not read. None: all are.
        user_id: the request's own id, where the message has one; it goes before `info.user_id`.
    """
    own, inner = canonical_id(user_id), canonical_id(info.user_id)
    chosen = own if own not in _NO_ID else inner if inner not in _NO_ID else ""
    profile = {
        field.name: canonical(value)
        for field, value in info.ListFields()
        if field.name != "user_id" and (attribute_names is None or field.name in attribute_names)
    }
    return GivenUser(chosen, profile)


class ContextReader:
    """Contexts for the original contract's recall and rank, whose callers send an id or demographics.

    Args:
        user: where stored users are read.
        attribute_names: the current release's user features; None while there is no release.
    """

    def __init__(self, user: UserPort, attribute_names: Callable[[], frozenset[str] | None]) -> None:
        self._user, self._attribute_names = user, attribute_names

    def read(self, info: user_info_pb2.UserInfo, timeout_s: float) -> UserContext:
        """The stored context with what the caller gives on top; only that while the user service is away.

        Raises InvalidArgument for an id that cannot be one.
        """
        given = given_user(info, self._attribute_names())
        if given.user_id:
            check_id("user_info.user_id", given.user_id)
            try:
                stored = self._user.get_user_context(
                    given.user_id, MAX_HISTORY, timeout_s * _USER_SHARE
                ).context
            except EcrsError as error:
                log.warning("original_user_unread", error=str(error))
            else:
                profile = {**stored.profile, **given.profile}
                return UserContext(given.user_id, profile, stored.events, stored.now)
        return UserContext.at_request(given.user_id, given.profile, (), now_ms())
