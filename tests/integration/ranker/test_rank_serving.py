"""A real PaddleServing server of the ranker: what it answers, and how it begins and ends."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paddle_serving import pipeline_service_pb2 as wire

from tests.integration.programs import Program, accepts_connections, await_true, free_port, run_to_end
from tests.integration.ranker.tiny_release import DENSE, FIELDS, MODULE, Release

pytestmark = pytest.mark.integration


class _Touch:
    """Unpickling it makes a file: the proof that somebody unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def _object_array_npy(path: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Touch(path)], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["npy", "bare"])
def test_pickles_are_answered_with_an_error_and_not_executed(
    server: Program, tmp_path: Path, kind: str
) -> None:
    trap = tmp_path / "executed"
    data = _object_array_npy(trap) if kind == "npy" else pickle.dumps(_Touch(trap))
    response = _ask(
        server, wire.Request(tensors=[wire.Tensor(name="sparse_ids", elem_type=13, byte_data=data)])
    )
    assert response.err_no == 51
    assert "sparse_ids" in response.err_msg
    assert not trap.exists()
    pickle.loads(data[data.index(b"\x80") :])  # noqa: S301  # our own: shows that the trap would have worked
    assert trap.exists()


def test_tensors_as_plain_protobuf_lists_are_understood(server: Program, release: Release) -> None:
    feeds, expected = release.cases[7]
    response = _ask(
        server,
        wire.Request(
            tensors=[
                wire.Tensor(
                    name="sparse_ids",
                    elem_type=0,
                    shape=[7, FIELDS],
                    int64_data=feeds["sparse_ids"].ravel().tolist(),
                ),
                wire.Tensor(
                    name="dense_values",
                    elem_type=1,
                    shape=[7, DENSE],
                    float_data=feeds["dense_values"].ravel().tolist(),
                ),
            ]
        ),
    )
    assert response.err_no == 0
    assert response.tensors[0].name == "probability"
    np.testing.assert_allclose(
        np.frombuffer(response.tensors[0].byte_data, "<f4"), expected, rtol=0, atol=1e-5
    )


def test_string_values_are_not_feeds(server: Program) -> None:
    response = _ask(server, wire.Request(key=["sparse_ids"], value=["__import__('os').abort()"]))
    assert response.err_no == 51


def test_standard_health_says_serving(server: Program) -> None:
    with grpc.insecure_channel(server.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_it_leads_its_own_session_and_listens_on_loopback_only(server: Program) -> None:
    assert os.getsid(server.pid) == server.pid
    # 127.0.0.1 as /proc writes it, alone or mapped into IPv6.
    assert _listening_addresses(server.port) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_it_ends_when_the_process_that_started_it_is_killed(release: Release) -> None:
    port = free_port()
    command = [sys.executable, "-m", MODULE, *release.arguments, "--port", str(port)]
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"])
    try:
        await_true(lambda: accepts_connections(port), 60, lambda: "did not start")
    finally:
        parent.kill()
        parent.wait(10)
    await_true(lambda: not accepts_connections(port), 10, lambda: "still there after its parent was killed")


def test_a_port_in_use_is_one_line(server: Program, release: Release) -> None:
    status, error = run_to_end(MODULE, [*release.arguments, "--port", str(server.port)])
    assert status == 1
    assert error.splitlines() == [
        f"PaddleServing: port {server.port} on 127.0.0.1 is in use: free it or choose another --port"
    ]


def test_other_addresses_than_loopback_need_consent(release: Release) -> None:
    status, error = run_to_end(MODULE, [*release.arguments, "--host", "0.0.0.0"])  # noqa: S104
    assert status == 2
    assert "--expose" in error


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "cannot read"),
        (lambda folder: (folder / "manifest.json").write_text('{"release": '), "manifest.json:1: not JSON"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "needs release and models.rank.feeds"),
        (lambda folder: shutil.rmtree(folder / "rank_serving"), "cannot read"),
        (lambda folder: (folder / "rank_serving" / "model.pdiparams").unlink(), "0 *.pdiparams files"),
        (lambda folder: (folder / "rank_serving" / "model.json").write_text("{"), "cannot load the model"),
        (
            lambda folder: (folder / "rank_serving" / "model.pdiparams").write_bytes(b"x"),
            "cannot load the model",
        ),
        (
            lambda folder: (folder / "rank_serving" / "serving_server_conf.prototxt").write_text(
                "feed_var {"
            ),
            "not a PaddleServing model description",
        ),
        (
            lambda folder: (folder / "manifest.json").write_text(
                (folder / "manifest.json").read_text().replace("[2]", "[4]")
            ),
            "are not the manifest's",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_release_is_one_line(release: Release, tmp_path: Path, damage: Any, complaint: str) -> None:
    copy = tmp_path / "release"
    shutil.copytree(release.folder, copy)
    damage(copy)
    status, error = run_to_end(MODULE, [*Release(copy, {}).arguments, "--port", str(free_port())])
    assert status == 1
    assert complaint in error
    assert len(error.splitlines()) == 1, error


def _ask(server: Program, request: wire.Request) -> wire.Response:
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(
            "/baidu.paddle_serving.pipeline_serving.PipelineService/inference",
            request_serializer=wire.Request.SerializeToString,
            response_deserializer=wire.Response.FromString,
        )
        response: wire.Response = call(request, timeout=10)
        return response


def _listening_addresses(port: int) -> set[str]:
    """Local addresses of listening sockets on the port, in /proc's hexadecimal."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, hex_port = local.partition(":")
            if state == "0A" and int(hex_port, 16) == port:
                found.add(address)
    return found
