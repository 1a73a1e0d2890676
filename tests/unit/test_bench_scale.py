"""The benchmark of growth asks the real stages, of a release that is the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.latency_series import Saturated
from bench.scale import Stages, contexts
from bench.synthetic import write_release
from engine.release import Release

pytestmark = pytest.mark.unit


def test_shoppers_are_the_same_for_a_seed_and_have_as_many_events_as_asked_for() -> None:
    first, second = (contexts(500, 5, 7, 9, seed=3) for _ in range(2))
    assert [list(one.events) for one in first] == [list(one.events) for one in second]
    for context in first:
        assert 7 <= len(context.events) <= 9
        assert sorted(context.events, key=lambda event: -event.at) == list(context.events)


def test_a_made_up_release_is_loaded_asked_and_timed(tmp_path: Path) -> None:
    folder = write_release(tmp_path, items=400, seed=1)
    release = Release.load(folder)
    assert len(release.items) == 400
    np.testing.assert_allclose(np.linalg.norm(release.vectors, axis=1), 1.0, rtol=1e-5)
    medians = Stages(folder).medians(contexts(400, 3, 5, 20, seed=2), rounds=1)
    assert {"history", "tower", "exact search", "rest of recall", "rank"} < medians.keys()
    assert medians["rank"] > 0
    assert medians["all but search"] > medians["rank"]


def test_saturated_rounds_are_summed_up_by_their_medians() -> None:
    rounds = [Saturated(float(rate), {"rank": rate / 10}) for rate in (30, 10, 20)]
    assert Saturated.median(rounds) == Saturated(20.0, {"rank": 2.0})
