"""A server with one call that does what a test wants, and a client to it."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from ecrs.user.v1 import user_service_pb2 as pb
from ecrs.user.v1 import user_service_pb2_grpc as stubs
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.errors import EcrsError
from services.common.rpc import App, Server, Servicer, Target
from tests.support.redis_server import free_port

NAME = "ecrs.user.v1.UserService"
Handler = Callable[[str], bool]


class OneCall(stubs.UserServiceServicer):
    """DeleteUser runs whatever the test wants."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def DeleteUser(  # noqa: N802 - the contract's name
        self, request: pb.DeleteUserRequest, context: grpc.ServicerContext
    ) -> pb.DeleteUserResponse:
        return pb.DeleteUserResponse(deleted=self._handler(request.user_id))


class Harness:
    """A server with one call, and a client to it."""

    def __init__(self) -> None:
        self.handler: Handler = lambda _: True
        self.problem: EcrsError | None = None
        self.closed = False
        self.port = free_port()
        self.server = self.start()
        self.target = Target("user", f"127.0.0.1:{self.port}").open()
        self.stub = stubs.UserServiceStub(self.target.channel)

    def start(self) -> Server:
        servicer = OneCall(self._handle)
        add: Callable[[grpc.Server], None] = lambda server: stubs.add_UserServiceServicer_to_server(  # noqa: E731
            servicer, server
        )
        app = App("test", [Servicer(NAME, add)], ready=self._ready, close=self._close)
        return Server(app, "127.0.0.1", self.port, threads=2, default_deadline_s=0.3).start()

    def call(self, timeout_s: float = 2.0, user_id: str = "ann") -> bool:
        request = pb.DeleteUserRequest(user_id=user_id)
        return self.target.call(self.stub.DeleteUser, request, timeout_s).deleted

    def health(self, service: str = "") -> int:
        stub = health_pb2_grpc.HealthStub(self.target.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=2.0)
        return int(answer.status)

    def _handle(self, user_id: str) -> bool:
        return self.handler(user_id)

    def _ready(self) -> None:
        if self.problem is not None:
            raise self.problem

    def _close(self) -> None:
        self.closed = True
