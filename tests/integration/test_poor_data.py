"""Training with what there is: a release, or one line that says what the data lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.features import DAY_MS, Event, UserContext
from engine.recall.new_items_store import read_new_items
from engine.release import Release, list_releases
from models.train import main
from models.training.export import onnx_runner, paddle_runner
from tests.support.poor_data import PARTS, write_poor

pytestmark = pytest.mark.integration

BARE = tuple(part for part in PARTS if part != "times")


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param({"without": BARE}, id="events and their times only"),
        pytest.param({"without": PARTS, "ordered": True}, id="not even times, but an order"),
        pytest.param({"without": BARE, "events": 200}, id="200 events"),
        pytest.param({"without": BARE, "users": 1}, id="one shopper"),
        pytest.param({"without": BARE, "items": 2}, id="two items"),
        pytest.param({"without": ("profiles", "categories", "prices")}, id="brands and titles only"),
        pytest.param(
            {"without": [part for part in BARE if part != "types"], "late": True}, id="late purchases"
        ),
    ],
)
def test_what_is_missing_does_not_stop_training_and_serving(shape: dict[str, Any], tmp_path: Path) -> None:
    data = write_poor(tmp_path / "prepared", **shape)

    status = main(["--data", str(data), "--out", str(tmp_path)])

    assert status in {0, 3}  # 3: no better than popularity, as few events may not suffice for
    (name,) = list_releases(tmp_path)
    release = Release.load(tmp_path / name)
    assert release.manifest["metrics"]["gate_passed"] is (status == 0)
    assert len(release.channels.popular) > 1
    assert all(np.isfinite(getattr(release.items, part)).all() for part in ("features", "stats"))
    assert np.isfinite(release.vectors).all()
    launches = read_new_items(release)
    assert launches is None or np.isfinite(launches.model.weights).all()
    for context in contexts(release):
        for network, feeds in {
            "user_tower": release.encoder.user_tower(context),
            "rank": release.encoder.rank(context, np.arange(len(release.items))),
        }.items():
            described = release.manifest["models"][network]["feeds"]
            assert [feed["shape"] for feed in described] == [list(v.shape[1:]) for v in feeds.values()]
            onnx = onnx_runner(release.path / network / "model.onnx")(feeds)
            _, paddle = paddle_runner(release.path / network)
            assert np.isfinite(onnx).all()
            np.testing.assert_allclose(onnx, paddle(feeds), atol=1e-5)


def contexts(release: Release) -> list[UserContext]:
    """A shopper with a history, and a stranger who tells what nobody was asked for."""
    bought = [Event(str(n), "purchase", release.data_end - n * DAY_MS) for n in range(1, 9)]
    return [
        UserContext.at_request("u1", {}, bought, release.data_end + DAY_MS),
        UserContext.at_request("", {"age": "3"}, [], release.data_end + DAY_MS),
    ]


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        (
            {"kind": "view"},
            "no events of the type that is to be predicted (purchase), but 600 view: name one",
        ),
        ({"items": 1}, "only 1 item has events of the type purchase: training needs 2 or more to compare"),
        ({"without": PARTS}, "all 600 events are of one moment, 2017-07-14 02:40: training predicts later"),
        ({"events": 1}, "only 1 item has events of the type purchase"),
        (
            {"users": 600, "guests": True},
            "events before 2017-09-12 03:12 nobody has one to predict in the 15.0 days after it",
        ),
        ({"events": 4}, "training needs shoppers who come back in each of the last 3 periods of that"),
    ],
)
def test_data_too_poor_to_train_on_are_told_in_one_line_before_anything_is_written(
    shape: dict[str, Any], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_poor(tmp_path / "prepared", **{"without": BARE, **shape})

    assert main(["--data", str(data), "--out", str(tmp_path / "releases")]) == 1

    told = capsys.readouterr().err
    assert told.startswith("error: poor: ")
    assert told.count("\n") == 1
    assert line in told
    assert list((tmp_path / "releases").iterdir()) == []
