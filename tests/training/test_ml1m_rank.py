"""The protocol ``ml1m-rank`` on files in MovieLens' layout: two tastes, films of one or the other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.evaluation.command import main
from models.evaluation.methods import ml1m_features, ml1m_train
from models.evaluation.methods.rating_kernel import CrossKernels, Histories, RatingKernel, empty_answers
from models.evaluation.ml1m_data import TEST, TRAIN, VALIDATION, load

_USERS, _FILMS = 60, 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """users.dat, movies.dat, ratings.dat; users of even number like films of even number, the others odd."""
    home, rng = tmp_path_factory.mktemp("ml"), np.random.default_rng(3)
    users = [f"{user}::{'FM'[user % 2]}::25::{user % 5}::{10000 + user}" for user in range(1, _USERS + 1)]
    films = [f"{2 * film}::Film {film} ({1980 + film % 20})::Drama|War" for film in range(1, _FILMS + 1)]
    ratings = []
    for user in range(1, _USERS + 1):
        for film in rng.choice(np.arange(1, _FILMS + 1), 25, replace=False).tolist():
            liked = (user + film) % 2 == 0
            stars = 3 if rng.uniform() < 0.1 else int(rng.choice([4, 5] if liked else [1, 2]))
            ratings.append(f"{user}::{2 * film}::{stars}::0")
    (home / "users.dat").write_text("\n".join(users))
    (home / "movies.dat").write_text("\n".join(films))
    (home / "ratings.dat").write_text("\n".join(ratings))
    return home


def test_rows_have_no_three_stars_and_one_split(folder: Path) -> None:
    data = load(folder)
    assert 3 not in data.stars
    assert (data.label == (data.stars > 3)).all()
    total = len(data.stars)
    assert (data.part == TEST).sum() == total // 10
    assert (data.part == VALIDATION).sum() == (total - total // 10) // 10
    learn, score = data.rows("test")
    assert not set(learn.tolist()) & set(score.tolist())
    assert (data.part[data.rows("validation")[0]] == TRAIN).all()
    assert (load(folder).part == data.part).all()


def _histories(folder: Path) -> Histories:
    data = load(folder)
    stars = data.stars.astype(np.float32)
    return Histories.of(data.user, data.item, stars, len(data.user_ids), len(data.item_ids))


def test_leaving_one_out_is_asking_without_the_rating(folder: Path) -> None:
    told = _histories(folder)
    kernel = RatingKernel(told, np.arange(30))
    for _ in range(3):
        kernel.step()
    user, gone = 40, 4
    left_out = empty_answers(len(told.item), 5)
    kernel.leave_one_out(told, user, left_out)
    rows = told.rows(user)
    place = rows.start + gone
    start = np.where(np.arange(len(told.start)) > user, told.start - 1, told.start)
    without = Histories(np.delete(told.item, place), np.delete(told.value, place), start, told.n_items)
    asked = empty_answers(1, 5)
    kernel.ask(without, user, slice(0, 1), told.item[place : place + 1], asked)
    for name in ("mean", "liked", "spread", "base", "weights", "residuals"):
        assert getattr(asked, name)[0] == pytest.approx(getattr(left_out, name)[place], abs=2e-4), name
    assert (asked.neighbours[0] == left_out.neighbours[place]).all()


def test_nobody_is_answered_by_a_kernel_that_saw_them(folder: Path) -> None:
    told = _histories(folder)
    before, after = empty_answers(len(told.item), 3), empty_answers(len(told.item), 3)
    rows = told.rows(0)
    values = told.value.copy()
    values[rows.start] = 6.0 - values[rows.start]
    changed = replace(told, value=values)
    for histories, found in ((told, before), (changed, after)):
        kernels = CrossKernels(histories, folds=2, steps=2)
        kernels.learn()
        kernels.leave_one_out(histories, found)
    assert after.mean[rows.start] == before.mean[rows.start]  # its own label cannot reach its features
    assert (after.mean[rows][1:] != before.mean[rows][1:]).any()


def test_what_is_not_rated_is_answered_by_the_mean_of_all_kernels(folder: Path) -> None:
    told = _histories(folder)
    kernels = CrossKernels(told, folds=2, steps=2)
    kernels.learn()
    asked = empty_answers(3, 2)
    kernels.ask(told, np.array([4, 4, 9]), np.array([0, 1, 2]), asked)
    alone = CrossKernels(told, folds=2, steps=2)
    means = []
    for fold in range(2):
        kernel = RatingKernel(told, np.flatnonzero(alone.fold != fold))
        for _ in range(2):
            kernel.step()
        each = empty_answers(3, 2)
        kernel.ask(told, 4, slice(0, 2), np.array([0, 1]), each)
        kernel.ask(told, 9, slice(2, 3), np.array([2]), each)
        means.append(each.mean)
    assert asked.mean == pytest.approx(np.mean(means, axis=0), abs=1e-5)
    assert means[0] != pytest.approx(means[1], abs=1e-5)


def test_kept_kernels_are_taken_over_only_for_the_same_ratings(folder: Path, tmp_path: Path) -> None:
    told = _histories(folder)
    first, again = CrossKernels(told, 2, 1), CrossKernels(told, 2, 1)
    first.learn()
    first.save(tmp_path / "kernels.npz")
    assert again.load(tmp_path / "kernels.npz")
    answers = [empty_answers(len(told.item), 3) for _ in range(2)]
    for kernels, found in zip((first, again), answers, strict=True):
        kernels.leave_one_out(told, found)
    assert (answers[0].mean == answers[1].mean).all()
    assert not CrossKernels(replace(told, value=told.value[::-1].copy()), 2, 1).load(tmp_path / "kernels.npz")
    assert not again.load(tmp_path / "none.npz")


def test_unsorted_ratings_are_refused() -> None:
    user = np.array([1, 0])
    with pytest.raises(ValueError, match="sorted"):
        Histories.of(user, user, user.astype(np.float32), 2, 2)


@pytest.mark.parametrize("method", ["bias", "kernel", "deepfm", "deepfm-history"])
def test_the_command_measures_and_writes(
    method: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ml1m_features, "STEPS", 6)
    quick = {"epochs": 6, "batch": 64, "rate": 1e-2}
    for name in ("PLAIN", "HISTORY"):
        recipe = getattr(ml1m_train, name)
        small = replace(recipe.network, hidden=(16,))
        monkeypatch.setattr(ml1m_train, name, replace(recipe, network=small, **quick))
    asked = ["ml1m-rank", "--path", str(folder), "--method", method, "--out", str(tmp_path / "out")]
    assert main([*asked, "--kernels", str(tmp_path / "kernels.npz")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    found = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pydict()
    assert set(found) == {"user_id", "item_id", "label", "score"}
    assert len(found["score"]) == report["rows"]
    assert all(0 <= score <= 1 for score in found["score"])
    assert all(item % 2 == 0 for item in found["item_id"])  # as in the files
    if method != "bias":  # which cannot know that tastes differ
        assert report["auc"]["value"] > 0.8
        assert report["log_loss"] < 0.69  # better than saying one half


def test_several_seeds_give_their_mean(folder: Path, tmp_path: Path) -> None:
    asked = ["ml1m-rank", "--path", str(folder), "--method", "bias", "--seeds", "1,2"]
    assert main([*asked, "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    each = [json.loads((tmp_path / f"seed-{seed}" / "report.json").read_text()) for seed in (1, 2)]
    assert report["auc"]["mean"] == pytest.approx(np.mean([one["auc"]["value"] for one in each]))
    assert report["auc"]["spread"] == 0.0  # this method draws nothing


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ml1m-rank", "--path", str(tmp_path), "--method", "bias"]) == 1
    assert "give the folder of MovieLens-1M with --path" in capsys.readouterr().err.replace("\n", " ")
