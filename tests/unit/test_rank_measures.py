"""Measures of labelled rows, against what a loop over pairs says."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.measures import auc
from models.evaluation.rank_measures import (
    calibration,
    expected_calibration_error,
    gauc,
    intervals,
    log_loss,
    rank_measures,
    user_auc,
)

pytestmark = pytest.mark.unit


def _rows(size: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    scores = np.round(rng.uniform(size=size), 1)  # many ties
    return rng.integers(0, 20, size), rng.uniform(size=size) < scores, scores


def _pairs(labels: np.ndarray, scores: np.ndarray) -> float:
    positive, negative = scores[labels][:, None], scores[~labels][None, :]
    return float(np.mean((positive > negative) + 0.5 * (positive == negative)))


def test_auc_within_users_is_that_of_all_pairs_of_each() -> None:
    users, labels, scores = _rows()
    values, rows = user_auc(users, labels, scores)
    told = [(labels[users == user], scores[users == user]) for user in range(20)]
    both = [(label, score) for label, score in told if label.any() and not label.all()]
    assert values == pytest.approx([_pairs(*one) for one in both])
    assert rows.tolist() == [len(label) for label, _ in both]
    weighted = sum(len(label) * _pairs(label, score) for label, score in both)
    assert gauc(users, labels, scores) == pytest.approx(weighted / rows.sum())


def test_users_with_one_label_only_count_nowhere() -> None:
    users, labels = np.array([1, 1, 2, 2]), np.array([True, True, False, True])
    values, rows = user_auc(users, labels, np.array([0.1, 0.2, 0.9, 0.3]))
    assert values.tolist() == [0.0]
    assert rows.tolist() == [2]


def test_nobody_with_both_labels_gives_no_number() -> None:
    assert np.isnan(gauc(np.array([1, 2]), np.array([True, False]), np.array([0.4, 0.6])))


def test_log_loss_of_sure_and_wrong_is_large_but_finite() -> None:
    labels = np.array([True, False])
    assert log_loss(labels, np.array([0.5, 0.5])) == pytest.approx(np.log(2))
    assert 10 < log_loss(labels, np.array([0.0, 1.0])) < 20


def test_calibration_compares_in_equally_filled_bins() -> None:
    probabilities = np.repeat([0.1, 0.9], 50)
    labels = np.tile([True] + [False] * 9, 10)  # a tenth everywhere
    table = calibration(labels, probabilities, bins=2)
    assert [line["rows"] for line in table] == [50, 50]
    assert [line["expected"] for line in table] == pytest.approx([0.1, 0.9])
    assert [line["observed"] for line in table] == pytest.approx([0.1, 0.1])
    assert expected_calibration_error(table) == pytest.approx(0.4)


def test_intervals_hold_the_value_and_are_repeatable() -> None:
    users, labels, scores = _rows(2000)
    found = intervals(users, labels, scores, seed=3, draws=200)
    low, high = found["auc"]
    assert low < auc(scores, labels.astype(np.float32)) < high < low + 0.1
    assert found["gauc"][0] < gauc(users, labels, scores) < found["gauc"][1]
    assert found == intervals(users, labels, scores, seed=3, draws=200)


def test_one_draw_is_the_auc_of_the_drawn_users_rows() -> None:
    users, labels, scores = _rows()
    drawn = np.random.default_rng(5).integers(0, 20, 20)
    rows = np.concatenate([np.flatnonzero(users == np.unique(users)[user]) for user in drawn])
    low, high = intervals(users, labels, scores, seed=5, draws=1)["auc"]
    assert low == high == pytest.approx(auc(scores[rows], labels[rows].astype(np.float32)))


def test_all_measures_at_once() -> None:
    users, labels, scores = _rows()
    found = rank_measures(users, labels, scores, draws=20)
    assert found["rows"] == 400
    assert found["auc"]["value"] == pytest.approx(_pairs(labels, scores))
    assert found["auc"]["low"] <= found["auc"]["value"] <= found["auc"]["high"]
    assert sum(line["rows"] for line in found["calibration"]) == 400
    with pytest.raises(ValueError, match="both labels"):
        rank_measures(users, np.ones(400, bool), scores)
