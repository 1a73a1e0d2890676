"""The 2022 contract's user look-up, /um.UMService/um_call, over the user service."""

from __future__ import annotations

import grpc
import structlog
from original import um_pb2 as pb
from original import um_pb2_grpc as stubs
from original import user_info_pb2

from engine.errors import EcrsError
from engine.types import UserProfile, profile_features
from services.common.ports import UserPort
from services.common.rpc import Servicer, remaining_s

NAME = "um.UMService"
FIELDS = ("age", "sex", "city_level", "province", "city", "country")
OK, FAILED = 200, 500


class UMServicer(stubs.UMServiceServicer):
    """Answers with the stored text ("5.0" stays "5.0"); every error is code 500 with a text."""

    def __init__(self, users: UserPort) -> None:
        self._users = users

    def um_call(self, request: pb.UserModelRequest, context: grpc.ServicerContext) -> pb.UserModelResponse:
        structlog.contextvars.bind_contextvars(log_id=request.log_id[:128])
        try:
            user = self._users.get_user(request.user_id, remaining_s())
        except EcrsError as error:
            failed = pb.UserModelResponse.Error(code=FAILED, text=str(error))
            return pb.UserModelResponse(error=failed)
        return pb.UserModelResponse(error=pb.UserModelResponse.Error(code=OK), user_info=user_info(user))


def user_info(user: UserProfile) -> user_info_pb2.UserInfo:
    """A profile as the original's message: the six fields it has, empty where unknown."""
    features = profile_features(user.attributes)
    texts = {name: value for name in FIELDS if isinstance(value := features.get(name), str)}
    return user_info_pb2.UserInfo(user_id=user.user_id, **texts)


def servicer(users: UserPort) -> Servicer:
    """The service, for `App`."""
    return Servicer(NAME, lambda server: stubs.add_UMServiceServicer_to_server(UMServicer(users), server))
