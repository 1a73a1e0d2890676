"""Who may call the services: nobody beyond loopback by accident."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from ecrs.user.v1 import user_service_pb2 as pb
from ecrs.user.v1 import user_service_pb2_grpc as stubs
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import ValidationError

from clients.python import cli
from clients.python.credentials import with_token
from engine.errors import EcrsError
from scripts import up
from scripts.supervision.health import check
from scripts.supervision.parts import Part
from services.bootstrap import target
from services.common.rpc import App, Server, Servicer
from services.settings import Settings
from tests.support.rpc import NAME, OneCall

pytestmark = pytest.mark.unit

TOKEN = "t0ken-of-sixteen-or-more"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there: that is what is tested


class TwoCalls(OneCall):
    """RecordUserEvents says that it recorded all."""

    def RecordUserEvents(  # noqa: N802 - the contract's name
        self, request: pb.RecordUserEventsRequest, context: grpc.ServicerContext
    ) -> pb.RecordUserEventsResponse:
        return pb.RecordUserEventsResponse(recorded_count=len(request.events))


@pytest.fixture
def address() -> Iterator[str]:
    """A server that asks for the token."""

    def add(server: grpc.Server) -> None:
        stubs.add_UserServiceServicer_to_server(TwoCalls(lambda _: True), server)

    app = App("test", [Servicer(NAME, add)], ready=lambda: None, close=lambda: None, token=TOKEN)
    server = Server(app, "127.0.0.1", 0, threads=2).start()
    yield f"127.0.0.1:{server.port}"
    server.stop(0.1)


def delete(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> bool:
    stub = stubs.UserServiceStub(channel)
    return stub.DeleteUser(pb.DeleteUserRequest(user_id="ann"), timeout=5, metadata=metadata).deleted


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}x"])
def test_a_call_without_the_token_is_refused_with_what_to_send(address: str, sent: str) -> None:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
        delete(channel, (("authorization", sent),) if sent else ())

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "ECRS_SERVICE_TOKEN" in refused.value.details()
    assert TOKEN not in refused.value.details()


def test_reflection_is_refused_too_and_health_is_not(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.ServerReflectionInfo(asked, timeout=5))

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert check(Part("test", "test", 2, (), 0, "grpc", address)) in {"", "not ready"}


def test_our_clients_send_the_token_of_the_settings(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        assert delete(with_token(channel, TOKEN)) is True
    for token, refused in ((TOKEN, False), ("another-token-of-some-length", True)):
        opened = target(Settings(_env_file=None, user_address=address, service_token=token), "user")
        call = stubs.UserServiceStub(opened.channel).DeleteUser
        request = pb.DeleteUserRequest(user_id="ann")
        if refused:
            with pytest.raises(EcrsError):
                opened.call(call, request, 5.0)
        else:
            assert opened.call(call, request, 5.0).deleted is True
        opened.close()


def test_the_command_line_client_sends_the_token(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "PORTS", {"user": int(address.rpartition(":")[2])})

    assert cli.main(["event", "ann", "view", "1"]) == 1
    assert "UNAUTHENTICATED" in capsys.readouterr().err
    monkeypatch.setenv("ECRS_SERVICE_TOKEN", TOKEN)
    assert cli.main(["event", "ann", "view", "1"]) == 0


@pytest.mark.parametrize("name", ["user", "item", "recall", "rank", "recommend"])
@pytest.mark.parametrize("by", ["setting", "argument"])
def test_no_service_listens_beyond_loopback_by_accident(
    name: str, by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if by == "setting":
        monkeypatch.setenv("ECRS_BIND", EVERYWHERE)
    monkeypatch.setattr(sys, "argv", [name] if by == "setting" else [name, "--bind", EVERYWHERE])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"services.{name}", run_name="__main__")

    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("error: listening on 0.0.0.0 would let everybody")
    assert told.count("\n") == 1


def test_make_up_refuses_before_it_starts_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECRS_BIND", EVERYWHERE)
    monkeypatch.setenv("ECRS_STATE_DIR", str(tmp_path / "state"))

    assert up.main([]) == 1
    assert capsys.readouterr().err.startswith("make up: listening on 0.0.0.0 would let everybody")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("bind", "more", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("localhost", {}, True),
        ("::1", {}, True),
        ("127.9.9.9", {}, True),
        (EVERYWHERE, {}, False),
        ("::", {}, False),
        ("10.0.0.7", {}, False),
        ("", {}, False),
        (EVERYWHERE, {"service_token": TOKEN}, True),
        (EVERYWHERE, {"trust_network": True}, True),
    ],
)
def test_beyond_loopback_a_token_or_a_clear_word_is_needed(
    bind: str, more: dict[str, str | bool], allowed: bool
) -> None:
    problem = Settings(_env_file=None, **more).exposure_problem(bind)

    assert (problem == "") is allowed
    assert allowed or ("ECRS_SERVICE_TOKEN" in problem and "ECRS_TRUST_NETWORK" in problem)


@pytest.mark.parametrize("token", ["short", "with a space in it, long", "ümlaut-ümlaut-ümlaut"])
def test_a_token_that_cannot_travel_or_is_short_is_refused(token: str) -> None:
    with pytest.raises(ValidationError, match="at least 16 printable ASCII"):
        Settings(_env_file=None, service_token=token)
