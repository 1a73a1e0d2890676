"""The rank service through a real PaddleServing and by ONNX: the same scores, whatever dies or changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EcrsError, Unavailable
from engine.features import Event, UserContext
from engine.release import current
from services.bootstrap import Part
from services.rank.service import RankService
from tests.integration.programs import Program, await_true
from tests.integration.rank_routes import rank_by, serving
from tests.support.releases import DATA_END

pytestmark = pytest.mark.integration

ITEMS = [f"i{row}" for row in range(200)]
SHOPPERS = [
    UserContext(user, {"age": age}, [Event(item, "purchase", DATA_END - 10)], DATA_END)
    for user, age, item in (("u1", "1", "i5"), ("u2", "3", "i8"))
]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    artifacts = tmp_path_factory.mktemp("artifacts")
    subprocess.run(
        [sys.executable, "-m", "tests.integration.paddle_ranker", str(artifacts)],
        check=True,
        capture_output=True,
        timeout=180,
    )
    return artifacts / str(current(artifacts))


@pytest.fixture(scope="module")
def server(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = serving(release / "manifest.json", release, tmp_path_factory.mktemp("log"))
    program.start()
    yield program
    program.stop()


@pytest.fixture(scope="module")
def by_onnx(release: Path) -> Iterator[Part[RankService]]:
    part = rank_by("onnx://", release)
    yield part
    part.close()


def test_both_routes_give_the_same_scores(server: Program, release: Path, by_onnx: Part[RankService]) -> None:
    by_serving = rank_by(f"serving://{server.address}", release)
    by_serving.ready()
    for shopper in SHOPPERS:
        for count in (1, 7, 200):
            one = by_serving.service.rank_items(shopper, ITEMS[:count], 5.0)
            other = by_onnx.service.rank_items(shopper, ITEMS[:count], 5.0)
            np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-5)
            assert one.release == other.release == release.name
    assert np.ptp(one.scores) > 0.01, "a constant model would prove nothing"
    by_serving.close()


def test_a_killed_paddleserving_makes_rank_unavailable_and_not_ready_until_it_is_back(
    release: Path, tmp_path: Path
) -> None:
    program = serving(release / "manifest.json", release, tmp_path)
    program.start()
    part = rank_by(f"serving://{program.address}", release)
    part.ready()
    program.kill()
    with pytest.raises(Unavailable):
        part.service.rank_items(SHOPPERS[0], ITEMS, 1.0)
    with pytest.raises(EcrsError):
        part.ready()
    program.start()

    def answers() -> bool:
        try:
            part.service.rank_items(SHOPPERS[0], ITEMS, 1.0)
        except Unavailable:
            return False
        return True

    await_true(answers, 30.0, lambda: "rank does not find PaddleServing again")
    part.ready()
    part.close()
    program.stop()


def test_while_paddleserving_serves_another_release_the_pinned_ones_own_model_answers(
    release: Path, tmp_path: Path, by_onnx: Part[RankService]
) -> None:
    manifest = json.loads((release / "manifest.json").read_text("utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "release": "tiny-20990101T000000Z"}))
    program = serving(tmp_path / "manifest.json", release, tmp_path)
    program.start()
    part = rank_by(f"serving://{program.address}", release)
    result = part.service.rank_items(SHOPPERS[0], ITEMS, 5.0)
    expected = by_onnx.service.rank_items(SHOPPERS[0], ITEMS, 5.0)
    assert result.release == release.name
    assert result.scores.tolist() == expected.scores.tolist()
    part.close()
    program.stop()
