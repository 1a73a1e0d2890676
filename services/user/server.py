"""gRPC servicer of `ecrs.user.v1.UserService`: reads the message, asks the port, writes the message."""

from __future__ import annotations

import grpc
from ecrs.user.v1 import user_service_pb2 as pb
from ecrs.user.v1 import user_service_pb2_grpc as stubs

from services.common.convert import context_to_proto, profile_from_proto, profile_to_proto
from services.common.ports import UserPort
from services.common.rpc import Servicer, remaining_s
from services.common.validate import check_count
from services.user.messages import event_from_proto, event_to_proto

NAME = "ecrs.user.v1.UserService"


class UserServicer(stubs.UserServiceServicer):
    """Serves a UserPort."""

    def __init__(self, users: UserPort) -> None:
        self._users = users

    def GetUser(  # noqa: N802 - the contract's name
        self, request: pb.GetUserRequest, context: grpc.ServicerContext
    ) -> pb.GetUserResponse:
        user = self._users.get_user(request.user_id, remaining_s())
        return pb.GetUserResponse(user=profile_to_proto(user))

    def BatchGetUsers(  # noqa: N802
        self, request: pb.BatchGetUsersRequest, context: grpc.ServicerContext
    ) -> pb.BatchGetUsersResponse:
        users, missing = self._users.batch_get_users(request.user_ids, remaining_s())
        return pb.BatchGetUsersResponse(users=map(profile_to_proto, users), missing_ids=missing)

    def ListUsers(  # noqa: N802
        self, request: pb.ListUsersRequest, context: grpc.ServicerContext
    ) -> pb.ListUsersResponse:
        users, token = self._users.list_users(request.page_size, request.page_token, remaining_s())
        return pb.ListUsersResponse(users=map(profile_to_proto, users), next_page_token=token)

    def UpsertUsers(  # noqa: N802
        self, request: pb.UpsertUsersRequest, context: grpc.ServicerContext
    ) -> pb.UpsertUsersResponse:
        check_count("users", request.users)
        users = [profile_from_proto(user, f"users[{at}]") for at, user in enumerate(request.users)]
        return pb.UpsertUsersResponse(upserted_count=self._users.upsert_users(users, remaining_s()))

    def GetUserContext(  # noqa: N802
        self, request: pb.GetUserContextRequest, context: grpc.ServicerContext
    ) -> pb.GetUserContextResponse:
        found = self._users.get_user_context(request.user_id, request.max_events, remaining_s())
        return pb.GetUserContextResponse(context=context_to_proto(found.context, known=found.known))

    def RecordUserEvents(  # noqa: N802
        self, request: pb.RecordUserEventsRequest, context: grpc.ServicerContext
    ) -> pb.RecordUserEventsResponse:
        check_count("events", request.events)
        events = [event_from_proto(event, f"events[{at}]") for at, event in enumerate(request.events)]
        return pb.RecordUserEventsResponse(
            recorded_count=self._users.record_user_events(events, remaining_s())
        )

    def ListUserEvents(  # noqa: N802
        self, request: pb.ListUserEventsRequest, context: grpc.ServicerContext
    ) -> pb.ListUserEventsResponse:
        events, token = self._users.list_user_events(
            request.user_id, request.page_size, request.page_token, remaining_s()
        )
        return pb.ListUserEventsResponse(events=map(event_to_proto, events), next_page_token=token)

    def DeleteUser(  # noqa: N802
        self, request: pb.DeleteUserRequest, context: grpc.ServicerContext
    ) -> pb.DeleteUserResponse:
        return pb.DeleteUserResponse(deleted=self._users.delete_user(request.user_id, remaining_s()))


def servicer(users: UserPort) -> Servicer:
    """The service, for `App`."""
    return Servicer(NAME, lambda server: stubs.add_UserServiceServicer_to_server(UserServicer(users), server))
