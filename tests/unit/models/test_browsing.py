"""Made-up browsing is newer than the past, and only where a dataset has none of its own."""

from __future__ import annotations

import numpy as np
import pytest

from engine.features import History
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.training.browsing import ON_TARGET, browse, has_browsing

pytestmark = pytest.mark.unit

PAST = History(np.array([3, 4]), np.array([4, 4], np.int8), np.array([0.001, 7.0]))


def test_purchases_alone_are_no_browsing() -> None:
    purchase, view = HISTORY_EVENT_TYPES.index("purchase"), HISTORY_EVENT_TYPES.index("view")
    assert not has_browsing(np.array([purchase, purchase], np.int8))
    assert has_browsing(np.array([purchase, view], np.int8))


def test_browsing_comes_last_and_the_past_stays() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = browse(PAST, np.array([9]), 100, rng)
        assert 3 <= len(found.rows) <= 5
        assert (np.diff(found.ages) >= 0).all()
        assert found.rows[-2:].tolist() == [3, 4]
        assert "purchase" not in {HISTORY_EVENT_TYPES[code] for code in found.types[:-2]}


def test_about_a_third_of_it_is_followed_by_a_purchase() -> None:
    rng = np.random.default_rng(0)
    made = [browse(PAST, np.array([500]), 500, rng).rows[:-2] for _ in range(2000)]
    assert np.mean(np.concatenate(made) == 500) == pytest.approx(ON_TARGET, abs=0.03)


def test_somebody_who_bought_nothing_may_browse() -> None:
    found = browse(PAST, np.zeros(0, np.int64), 100, np.random.default_rng(0))
    assert found.rows.max() < 100
