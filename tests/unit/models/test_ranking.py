"""The measures of lists agree with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from models.evaluation import mean_metrics, recall_ndcg, recall_of_truth
from models.evaluation.ranking import (
    EMPTY_PLACE,
    RankedLists,
    coverage,
    interval,
    measure,
    novelty,
    per_user,
    top_k,
)

pytestmark = pytest.mark.unit


def test_all_users_at_once_give_what_each_gives_alone() -> None:
    rng = np.random.default_rng(1)
    rows = np.stack([rng.permutation(50)[:20] for _ in range(30)])
    truth = rng.random((30, 50)) < 0.2
    truth[:, 7] = True
    found = per_user(rows, scipy.sparse.csr_matrix(truth.astype(np.float32)), 20)
    for line in range(30):
        recall, ndcg = recall_ndcg(rows[line], np.flatnonzero(truth[line]), 20)
        assert found["recall_at_20"][line] == pytest.approx(recall)
        assert found["ndcg_at_20"][line] == pytest.approx(ndcg)
        of_truth = recall_of_truth(rows[line], np.flatnonzero(truth[line]), 20)
        assert found["recall_of_truth_at_20"][line] == pytest.approx(of_truth)


def test_the_two_recalls_differ_where_the_truth_is_longer_than_the_list() -> None:
    truth = scipy.sparse.csr_matrix(np.array([[1, 1, 1, 1, 0], [0, 1, 0, 0, 0]], np.float32))
    found = per_user(np.array([[0, 1], [1, 2]]), truth, 2)
    assert found["recall_at_2"].tolist() == [1.0, 1.0]
    assert found["recall_of_truth_at_2"].tolist() == [0.5, 1.0]
    means = mean_metrics([(np.array([0, 1]), np.array([0, 1, 2, 3])), (np.array([1, 2]), np.array([1]))], 2)
    assert (means["recall_at_2"], means["recall_of_truth_at_2"]) == (1.0, 0.75)


def test_rank_of_the_first_hit_and_empty_places() -> None:
    rows = np.array([[4, 2, EMPTY_PLACE], [0, EMPTY_PLACE, EMPTY_PLACE]])
    truth = scipy.sparse.csr_matrix(np.array([[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]], np.float32))
    found = per_user(rows, truth, 3)
    assert found["hit_rate_at_3"].tolist() == [1.0, 0.0]
    assert found["mrr_at_3"].tolist() == [0.5, 0.0]
    assert found["recall_at_3"].tolist() == [1.0, 0.0]  # divided by min(|truth|, 3)


def test_an_empty_place_does_not_count_as_the_first_item() -> None:
    truth = scipy.sparse.csr_matrix(np.array([[1, 0]], np.float32))
    assert per_user(np.array([[EMPTY_PLACE]]), truth, 1)["hit_rate_at_1"].tolist() == [0.0]


def test_coverage_and_novelty_speak_of_what_is_shown() -> None:
    rows = np.array([[0, 1], [0, EMPTY_PLACE]])
    assert coverage(rows, 4, 2) == 0.5
    assert novelty(rows, np.array([0.5, 0.25, 1.0, 1.0]), 2) == pytest.approx((1 + 2 + 1) / 3)


def test_the_interval_holds_the_mean_and_narrows_with_users() -> None:
    rng = np.random.default_rng(2)
    few, many = rng.random(50), rng.random(5000)
    low, high = interval(few)
    assert low < few.mean() < high
    assert np.subtract(*interval(many)[::-1]) < (high - low) / 5
    assert interval(few) == (low, high)  # the same seed, the same interval


def test_top_k_breaks_ties_by_row_and_never_shows_what_is_ruled_out() -> None:
    scores = np.array([[1.0, 3.0, 3.0, -np.inf], [0.0, -np.inf, -np.inf, -np.inf]])
    assert top_k(scores, 3).tolist() == [[1, 2, 0], [0, EMPTY_PLACE, EMPTY_PLACE]]


def test_measure_reports_means_within_their_intervals() -> None:
    users = np.arange(4)
    rows = np.array([[0, 1], [0, 1], [2, 3], [3, 2]])
    lists = RankedLists(users, rows, np.ones((4, 2), np.float32), np.full((4, 2), "x"))
    truth = scipy.sparse.csr_matrix(np.eye(4, dtype=np.float32))
    found = measure(lists, truth, np.full(4, 0.5), k=2)
    assert found["users"] == 4
    assert found["hit_rate_at_2"]["mean"] == 1.0
    assert found["ndcg_at_2"]["low"] <= found["ndcg_at_2"]["mean"] <= found["ndcg_at_2"]["high"]
    assert found["coverage_at_2"] == 1.0
    assert found["novelty_at_2"] == 1.0
