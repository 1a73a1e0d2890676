"""UserPort over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from ecrs.user.v1 import user_service_pb2 as pb
from ecrs.user.v1 import user_service_pb2_grpc as stubs

from engine.types import KnownContext, UserEvent, UserProfile
from services.common.convert import context_from_proto, profile_from_proto, profile_to_proto
from services.common.rpc import Target
from services.user.messages import event_to_proto, stored_event_from_proto


class UserClient:
    """Implements `services.common.ports.UserPort` by calling the user service. Needs an open target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stub = stubs.UserServiceStub(target.channel)

    def get_user(self, user_id: str, timeout_s: float) -> UserProfile:
        request = pb.GetUserRequest(user_id=user_id)
        return profile_from_proto(self._target.call(self._stub.GetUser, request, timeout_s).user)

    def batch_get_users(
        self, user_ids: Sequence[str], timeout_s: float
    ) -> tuple[list[UserProfile], list[str]]:
        request = pb.BatchGetUsersRequest(user_ids=user_ids)
        response = self._target.call(self._stub.BatchGetUsers, request, timeout_s)
        return [profile_from_proto(user) for user in response.users], list(response.missing_ids)

    def list_users(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[UserProfile], str]:
        request = pb.ListUsersRequest(page_size=page_size, page_token=page_token)
        response = self._target.call(self._stub.ListUsers, request, timeout_s)
        return [profile_from_proto(user) for user in response.users], response.next_page_token

    def upsert_users(self, users: Sequence[UserProfile], timeout_s: float) -> int:
        request = pb.UpsertUsersRequest(users=map(profile_to_proto, users))
        return self._target.call(self._stub.UpsertUsers, request, timeout_s).upserted_count

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext:
        request = pb.GetUserContextRequest(user_id=user_id, max_events=max_events)
        return context_from_proto(self._target.call(self._stub.GetUserContext, request, timeout_s).context)

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int:
        request = pb.RecordUserEventsRequest(events=map(event_to_proto, events))
        # Without ids of their own, events sent twice would be stored twice.
        retry = all(event.event_id for event in events)
        return self._target.call(self._stub.RecordUserEvents, request, timeout_s, retry=retry).recorded_count

    def list_user_events(
        self, user_id: str, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserEvent], str]:
        request = pb.ListUserEventsRequest(user_id=user_id, page_size=page_size, page_token=page_token)
        response = self._target.call(self._stub.ListUserEvents, request, timeout_s)
        return [stored_event_from_proto(event) for event in response.events], response.next_page_token

    def delete_user(self, user_id: str, timeout_s: float) -> bool:
        request = pb.DeleteUserRequest(user_id=user_id)
        # Deleting again would answer that there was nothing.
        return self._target.call(self._stub.DeleteUser, request, timeout_s, retry=False).deleted
