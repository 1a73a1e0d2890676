"""The ranker by Paddle, by ONNX Runtime and by a real PaddleServing server: one answer, whatever dies."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paddle_serving import pipeline_service_pb2 as wire

from models.serving_layout import ServingVar, write_serving_layout
from services.rank.predictors import (
    BadFeeds,
    Predictor,
    PredictorUnavailable,
    ReleaseMismatch,
    open_predictor,
)
from tests.integration.programs import Program, accepts_connections, await_true, free_port, run_to_end

pytestmark = pytest.mark.integration

MODULE = "services.rank.serving"
RELEASE = "tiny-20260101T000000Z"
FIELDS, DENSE = 3, 2
BATCHES = (1, 7, 32, 200, 513, 1500)  # as tests.integration.tiny_ranker, which imports Paddle

Feeds = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Release:
    """A release folder with a ranker only, and what Paddle itself answers."""

    folder: Path
    cases: dict[int, tuple[Feeds, np.ndarray[Any, Any]]]

    @property
    def arguments(self) -> list[str]:
        return [
            "--model-dir",
            str(self.folder / "rank_serving"),
            "--manifest",
            str(self.folder / "manifest.json"),
        ]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release")
    rank = folder / "rank"
    rank.mkdir()
    subprocess.run(
        [sys.executable, "-m", "tests.integration.tiny_ranker", str(rank)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    feeds = [ServingVar("sparse_ids", "int64", (FIELDS,)), ServingVar("dense_values", "float32", (DENSE,))]
    fetches = [ServingVar("fetch_name_0", "float32", (), alias="probability")]
    write_serving_layout(rank, folder / "rank_serving", feeds, fetches)
    described = [{"name": feed.name, "dtype": feed.dtype, "shape": list(feed.shape)} for feed in feeds]
    manifest = {"release": RELEASE, "models": {"rank": {"feeds": described}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    answers = np.load(rank / "cases.npz")
    cases = {
        rows: (
            {"sparse_ids": answers[f"{rows}_sparse"], "dense_values": answers[f"{rows}_dense"]},
            answers[f"{rows}_expected"],
        )
        for rows in BATCHES
    }
    return Release(folder, cases)


@pytest.fixture(scope="module")
def server(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(MODULE, release.arguments, free_port(), tmp_path_factory.mktemp("log") / "serving.log")
    program.start()
    yield program
    program.stop()


@pytest.fixture(params=["onnx", "serving"])
def predictor(request: pytest.FixtureRequest, release: Release) -> Iterator[Predictor]:
    url = "onnx://"
    if request.param == "serving":
        url = f"serving://{request.getfixturevalue('server').address}"
    opened = open_predictor(url, release.folder, RELEASE)
    yield opened
    opened.close()


@pytest.mark.parametrize("rows", BATCHES)
def test_probabilities_are_paddles_own(predictor: Predictor, release: Release, rows: int) -> None:
    feeds, expected = release.cases[rows]
    answer = predictor.predict(feeds, timeout_s=10)
    assert answer.dtype == np.float32
    assert answer.shape == (rows,)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)
    if rows > 1:
        assert np.ptp(expected) > 0.1  # a constant model would prove nothing


def test_answers_are_never_swapped_between_threads(predictor: Predictor, release: Release) -> None:
    def ask(turn: int) -> float:
        feeds, expected = release.cases[BATCHES[turn % len(BATCHES)]]
        return float(np.abs(predictor.predict(feeds, timeout_s=30) - expected).max())

    with ThreadPoolExecutor(4) as pool:
        errors = list(pool.map(ask, range(120)))
    assert max(errors) < 1e-5


@pytest.mark.parametrize(
    "damage",
    [
        lambda feeds: {"dense_values": feeds["dense_values"]},
        lambda feeds: {**feeds, "more": feeds["dense_values"]},
        lambda feeds: {**feeds, "dense_values": feeds["dense_values"].astype(np.float64)},
        lambda feeds: {**feeds, "dense_values": feeds["dense_values"][:, :1]},
        lambda feeds: {**feeds, "dense_values": feeds["dense_values"][:-1]},
        lambda feeds: {name: array[:0] for name, array in feeds.items()},
        lambda feeds: {},
    ],
    ids=["missing", "unknown", "dtype", "shape", "rows differ", "no rows", "nothing"],
)
def test_feeds_that_do_not_fit_are_the_callers_fault(
    predictor: Predictor, release: Release, damage: Any
) -> None:
    feeds, expected = release.cases[7]
    with pytest.raises(BadFeeds):
        predictor.predict(damage(feeds), timeout_s=10)
    np.testing.assert_allclose(predictor.predict(feeds, timeout_s=10), expected, rtol=0, atol=1e-5)


def test_no_time_left_is_unavailable_at_once(predictor: Predictor, release: Release) -> None:
    with pytest.raises(PredictorUnavailable):
        predictor.predict(release.cases[7][0], timeout_s=0)


def test_another_release_is_refused(server: Program, release: Release) -> None:
    other = open_predictor(f"serving://{server.address}", release.folder, "tiny-20270101T000000Z")
    with pytest.raises(ReleaseMismatch, match=RELEASE):
        other.predict(release.cases[7][0], timeout_s=10)
    other.close()


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


def test_killed_and_started_again_it_answers_on_the_same_channel(release: Release, tmp_path: Path) -> None:
    program = Program(MODULE, release.arguments, free_port(), tmp_path / "serving.log")
    program.start()
    feeds, expected = release.cases[200]
    predictor = open_predictor(f"serving://{program.address}", release.folder, RELEASE)
    try:
        predictor.predict(feeds, timeout_s=10)
        program.kill()
        started = time.monotonic()
        with pytest.raises(PredictorUnavailable):
            predictor.predict(feeds, timeout_s=0.5)
        assert time.monotonic() - started < 1.0
        program.start()
        await_true(lambda: _answers(predictor, feeds), 5.0, lambda: "no answer after the restart")
        np.testing.assert_allclose(predictor.predict(feeds, timeout_s=5), expected, rtol=0, atol=1e-5)
        assert program.stop() == 0
        assert not accepts_connections(program.port)
    finally:
        predictor.close()
        program.kill()


def test_a_server_that_hangs_costs_no_more_than_the_deadline(release: Release, tmp_path: Path) -> None:
    program = Program(MODULE, release.arguments, free_port(), tmp_path / "serving.log")
    program.start()
    predictor = open_predictor(f"serving://{program.address}", release.folder, RELEASE)
    feeds, _ = release.cases[7]
    try:
        predictor.predict(feeds, timeout_s=10)
        os.kill(program.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(PredictorUnavailable, match="DEADLINE"):
            predictor.predict(feeds, timeout_s=0.3)
        assert time.monotonic() - started < 1.0
        os.kill(program.pid, signal.SIGCONT)
        assert _answers(predictor, feeds)
    finally:
        predictor.close()
        program.kill()


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


def test_a_missing_onnx_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(PredictorUnavailable, match=r"model\.onnx"):
        open_predictor("onnx://", tmp_path, RELEASE)


def _ask(server: Program, request: wire.Request) -> wire.Response:
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(
            "/baidu.paddle_serving.pipeline_serving.PipelineService/inference",
            request_serializer=wire.Request.SerializeToString,
            response_deserializer=wire.Response.FromString,
        )
        response: wire.Response = call(request, timeout=10)
        return response


def _answers(predictor: Predictor, feeds: Feeds) -> bool:
    try:
        predictor.predict(feeds, timeout_s=5)
    except PredictorUnavailable:
        return False
    return True


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
