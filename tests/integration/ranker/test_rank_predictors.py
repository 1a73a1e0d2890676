"""The ranker by Paddle, by ONNX Runtime and by a real PaddleServing server: one answer, whatever dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.predictor import (
    BadFeeds,
    Predictor,
    PredictorUnavailable,
    ReleaseMismatch,
)
from services.adapters.by_url import open_predictor
from tests.integration.programs import Program, accepts_connections, await_true, free_port
from tests.integration.ranker.tiny_release import BATCHES, MODULE, RELEASE, Feeds, Release

pytestmark = pytest.mark.integration


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


def test_a_missing_onnx_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(PredictorUnavailable, match=r"model\.onnx"):
        open_predictor("onnx://", tmp_path, RELEASE)


def _answers(predictor: Predictor, feeds: Feeds) -> bool:
    try:
        predictor.predict(feeds, timeout_s=5)
    except PredictorUnavailable:
        return False
    return True
