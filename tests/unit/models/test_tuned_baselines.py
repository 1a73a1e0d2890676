"""Baselines whose settings are chosen before the test: the choice, the factors, and what sells now."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from engine.features import DAY_MS
from models.evaluation import protocols
from models.evaluation.command import main
from models.evaluation.methods.baselines.factors import ImplicitAls
from models.evaluation.methods.baselines.linear import Ease
from models.evaluation.methods.baselines.recent import EaseTrend, RecentPopularity, sales_trend
from models.evaluation.methods.baselines.registry import GRIDS
from models.evaluation.methods.baselines.tuning import Grid, choose
from models.evaluation.protocols import run_baseline
from models.evaluation.retail import LastDays, RetailSplit
from models.training.channels import Purchases
from models.training.dataset import load_prepared
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared") / "tiny")


@pytest.fixture(scope="module")
def question(folder: Path) -> LastDays:
    return LastDays(load_prepared(folder), 28, 4)


@pytest.fixture(scope="module")
def tiny(question: LastDays) -> RetailSplit:
    return question.split()


def test_stages_keep_the_best_and_try_nothing_twice() -> None:
    asked = []

    def value_of(settings: dict[str, int]) -> float:
        asked.append(dict(settings))
        return -abs(settings["a"] - 2) - abs(settings["b"] - 5)

    grid = Grid({"a": 0, "b": 0}, [{"a": (0, 1, 2)}, {"a": (1, 2), "b": (0, 5, 9)}])
    found = choose("toy", grid, value_of, Console(stderr=True))
    assert found.settings == {"a": 2, "b": 5}
    assert found.value == 0
    assert len(asked) == len({tuple(one.items()) for one in asked}) == 3 + 6 - 2
    assert [settings for settings, _ in found.tried] == asked


def test_settings_are_chosen_without_the_test(
    question: LastDays, tiny: RetailSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spy(RecentPopularity):
        def fit(self, split: RetailSplit, seed: int) -> None:
            seen.append((split.cut, int(split.train.at.max())))
            super().fit(split, seed)

    monkeypatch.setitem(protocols.METHODS, "popularity-recent", Spy)
    outcome = run_baseline("popularity-recent", tiny, 7, lambda: question.split(1))
    *before, last = seen
    assert len(before) == 8
    assert all(cut == tiny.cut - 28 * DAY_MS and newest < cut for cut, newest in before)
    assert last[0] == tiny.cut
    assert outcome.chosen is not None
    assert set(outcome.chosen.settings) == {"half_life"}


def test_the_report_tells_the_settings_and_what_was_tried(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["retail", "--source", "tiny", "--prepared", str(folder.parent), "--method", "ease-trend"]
    assert main([*given, "--min-buyers", "4", "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["settings"]) == {"half_life", "power", "weight"}
    assert max(one["validation"] for one in report["tried"]) == pytest.approx(
        next(one["validation"] for one in report["tried"] if report["settings"].items() <= one.items())
    )
    assert "settings chosen before the test" in capsys.readouterr().out


def _loss(model: ImplicitAls, taken: np.ndarray, unobserved: float, weight: float, exponent: float) -> float:
    scores = model._users @ model._items.T
    users, items = taken.shape
    by_user = (taken.sum(axis=1) + unobserved * items) ** exponent
    by_item = (taken.sum(axis=0) + unobserved * users) ** exponent
    norms = by_user @ (model._users**2).sum(axis=1) + by_item @ (model._items**2).sum(axis=1)
    return float((taken * (1 - scores) ** 2).sum() + unobserved * (scores**2).sum() + weight * norms)


@pytest.mark.parametrize(("factors", "exponent"), [(4, 1.0), (32, 1.0), (4, 0.0)])
def test_each_epoch_of_ials_lowers_its_loss_and_the_last_step_is_exact(
    tiny: RetailSplit, factors: int, exponent: float
) -> None:
    taken = tiny.bought.toarray().astype(np.float64)
    losses = []
    for epochs in (1, 2, 6):
        model = ImplicitAls(factors, 0.2, 0.05, exponent, epochs)
        model.fit(tiny, 7)
        losses.append(_loss(model, taken, 0.2, 0.05, exponent))
    assert losses[0] > losses[1] > losses[2]
    # The items were solved last: each is the minimum given the users.
    users = model._users.astype(np.float64)
    for item in (0, taken.shape[1] // 2):
        own = users[taken[:, item] > 0]
        weight = 0.05 * (len(own) + 0.2 * len(users)) ** exponent
        system = 0.2 * users.T @ users + own.T @ own + weight * np.eye(factors)
        np.testing.assert_allclose(model._items[item], np.linalg.solve(system, own.sum(axis=0)), atol=2e-4)


def test_equal_seeds_give_equal_factors(tiny: RetailSplit) -> None:
    first, second = ImplicitAls(8, epochs=2), ImplicitAls(8, epochs=2)
    first.fit(tiny, 3)
    second.fit(tiny, 3)
    assert (first.scores(tiny.users) == second.scores(tiny.users)).all()


def test_what_sells_more_lately_has_the_higher_trend() -> None:
    row = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
    days = np.array([1, 2, 3, 60, 61, 62, 63, 64, 90])
    at = (100 - days) * DAY_MS
    purchases = Purchases(np.arange(9), row, at, np.ones(9), 9, 4, 100 * DAY_MS)
    trend = sales_trend(purchases, 7.0)
    assert trend[0] > trend[3] > trend[2] > trend[1] > 0  # item 3 was never sold: the mean trend


def test_ease_with_a_flat_trend_is_ease(tiny: RetailSplit) -> None:
    plain, flat = Ease(50.0), EaseTrend(half_life=7.0, power=0.0, weight=50.0)
    plain.fit(tiny, 7)
    flat.fit(tiny, 7)
    np.testing.assert_allclose(flat.scores(tiny.users), plain.scores(tiny.users))
    assert Ease.solved(tiny, 50.0) is Ease.solved(tiny, 50.0)
    assert Ease.solved(tiny, 60.0) is not Ease.solved(tiny, 50.0)


def test_every_grid_names_settings_of_its_method() -> None:
    for name, grid in GRIDS.items():
        settings = dict(grid.begin)
        for stage in grid.stages:
            settings |= {key: values[0] for key, values in stage.items()}
        assert protocols.METHODS[name](**settings) is not None
