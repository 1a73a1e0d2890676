"""Rank over the tiny release: scores, missing items, and the bridge of a release change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import EcrsError, InvalidArgument, ReleaseNotLoaded, Unavailable
from engine.features import Event, UserContext
from engine.predictor import BadFeeds, Feeds, PredictorUnavailable, ReleaseMismatch
from tests.support.releases import write_release
from tests.support.request_path import real_rank
from tests.support.stand_ins import NOW, Failing

pytestmark = pytest.mark.unit

T = 2.0
SHOPPER = UserContext("u", {"age": "2"}, [Event("i5", "purchase", NOW - 10)], NOW)


class ScriptedPredictor(Failing):
    """Answers 0.5, or fails as told. Implements `Predictor`."""

    release = "tiny-20240101T000000Z"

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def predict(self, feeds: Feeds, timeout_s: float) -> np.ndarray:
        self._called(timeout_s)
        return np.full(len(feeds["rank_dense"]), 0.5, np.float32)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"))


def test_every_item_gets_a_probability_in_the_order_asked_for(release: Path) -> None:
    rank = real_rank(release)
    forward = rank.rank_items(SHOPPER, ["i5", "i6", "i7"], T)
    backward = rank.rank_items(SHOPPER, ["i7", "i6", "i5"], T)
    assert ((forward.scores >= 0) & (forward.scores <= 1)).all()
    assert forward.scores.tolist() == backward.scores[::-1].tolist()
    assert forward.scores[0] > forward.scores[1], "what was bought before scores higher"
    assert (forward.release, forward.missing_ids) == ("tiny-20240101T000000Z", ())


def test_items_that_the_release_lacks_are_listed_and_score_minus_one(release: Path) -> None:
    result = real_rank(release).rank_items(SHOPPER, ["nope", "i5", "neither"], T)
    assert result.missing_ids == ("nope", "neither")
    assert result.scores[[0, 2]].tolist() == [-1, -1]
    assert result.scores[1] > 0
    assert real_rank(release).rank_items(SHOPPER, ["nope"], T).scores.tolist() == [-1]


def test_another_release_behind_the_predictor_is_bridged_by_the_pinned_release_own_model(
    release: Path,
) -> None:
    predictor = ScriptedPredictor()
    predictor.error = ReleaseMismatch("it serves the next release already")
    rank = real_rank(release, predictor)
    expected = real_rank(release).rank_items(SHOPPER, ["i5", "i6"], T).scores
    for _ in range(3):
        assert rank.rank_items(SHOPPER, ["i5", "i6"], T).scores.tolist() == expected.tolist()
    assert len(predictor.calls) == 1, "it is asked again a second later, not by each request"


def test_a_predictor_that_is_away_makes_rank_unavailable_and_is_not_asked_by_each_request(
    release: Path,
) -> None:
    predictor = ScriptedPredictor()
    predictor.error = PredictorUnavailable("down for the test")
    rank = real_rank(release, predictor)
    for _ in range(6):
        with pytest.raises(Unavailable):
            rank.rank_items(SHOPPER, ["i5"], T)
    assert len(predictor.calls) == 3


def test_refused_features_are_our_own_fault(release: Path) -> None:
    predictor = ScriptedPredictor()
    predictor.error = BadFeeds("rank_dense is float64")
    with pytest.raises(EcrsError, match="rank_dense is float64") as caught:
        real_rank(release, predictor).rank_items(SHOPPER, ["i5"], T)
    assert type(caught.value) is EcrsError


@pytest.mark.parametrize("item_ids", [[], [f"i{n}" for n in range(1_001)], ["i1", "i1"]])
def test_wrong_lists_of_items_are_refused(release: Path, item_ids: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="item_ids"):
        real_rank(release).rank_items(SHOPPER, item_ids, T)


def test_a_release_that_is_not_loaded_is_refused(release: Path) -> None:
    with pytest.raises(ReleaseNotLoaded, match="another"):
        real_rank(release).rank_items(SHOPPER, ["i1"], T, release="another")
