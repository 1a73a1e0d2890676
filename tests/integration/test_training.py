"""From prepared data to a published release, through the command line."""

from __future__ import annotations

import fcntl
from pathlib import Path

import numpy as np
import pytest

from engine.features import DAY_MS, Event, UserContext
from engine.recall.content_store import read_content
from engine.release import Release, list_releases
from models.train import main
from models.training.export import onnx_runner, paddle_runner
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("training")
    data = write_prepared(folder / "prepared")
    assert main(["--data", str(data), "--config", "quick", "--out", str(folder / "artifacts")]) == 0
    (name,) = list_releases(folder / "artifacts")
    return Release.load(folder / "artifacts" / name)


def someone(release: Release) -> UserContext:
    events = [Event(str(n), "purchase", release.data_end - n * DAY_MS) for n in range(1, 20)]
    return UserContext.at_request("u1", {"age": "2"}, events, release.data_end + DAY_MS)


def test_the_release_is_complete_and_beats_popularity(release: Release) -> None:
    metrics = release.manifest["metrics"]
    assert metrics["gate_passed"] is True
    assert metrics["pipeline"]["ndcg_at_20"] > metrics["popularity"]["ndcg_at_20"]
    assert len(release.items) == len(list(release.catalogue())) == release.manifest["n_items"] == 80
    assert release.channels.popular
    assert set(release.channels.segments) == {"age=0", "age=1", "age=2", "age=3"}
    np.testing.assert_allclose(np.linalg.norm(release.vectors, axis=1), 1.0, atol=1e-5)
    assert "item_text" in release.encoder.item_tower(np.arange(3))
    content = read_content(release)
    assert content is not None
    assert content.rows[5, 0] % 8 == 5  # what is written of it is its number and its category


def test_onnx_and_paddle_agree_on_served_feeds(release: Release) -> None:
    context = someone(release)
    feeds = {
        "user_tower": release.encoder.user_tower(context),
        "item_tower": release.encoder.item_tower(np.arange(33)),
        "rank": release.encoder.rank(context, np.arange(57)),
    }
    for network, values in feeds.items():
        described = release.manifest["models"][network]
        assert [feed["name"] for feed in described["feeds"]] == list(values)
        for feed in described["feeds"]:
            assert feed["shape"] == list(values[feed["name"]].shape[1:])
            assert feed["dtype"] == str(values[feed["name"]].dtype)
        onnx = onnx_runner(release.path / network / "model.onnx")(values)
        name, run = paddle_runner(release.path / network)
        assert name == described["fetches"][0]["name"]
        np.testing.assert_allclose(onnx, run(values), atol=1e-5)


def test_item_vectors_are_the_item_towers(release: Release) -> None:
    rows = np.arange(len(release.items))
    vectors = onnx_runner(release.item_tower_onnx)(release.encoder.item_tower(rows))
    np.testing.assert_allclose(vectors, release.vectors, atol=1e-5)


def test_scores_are_probabilities_that_follow_the_user(release: Release) -> None:
    rank = onnx_runner(release.rank_onnx)
    rows = np.arange(len(release.items))
    stranger = UserContext("", {}, [], release.data_end)
    scores = [rank(release.encoder.rank(context, rows)) for context in (someone(release), stranger)]
    assert all(((score > 0) & (score < 1)).all() for score in scores)
    assert list(np.argsort(-scores[0])[:10]) != list(np.argsort(-scores[1])[:10])


def test_paddle_serving_finds_its_own_layout(release: Release) -> None:
    names = {path.name for path in (release.path / "rank_serving").iterdir()}
    assert {"model.json", "model.pdiparams", "serving_server_conf.prototxt"} <= names


def test_nothing_but_the_release_is_left_behind_and_none_is_current(release: Release) -> None:
    assert [path.name for path in release.path.parent.iterdir()] == [release.name]


@pytest.mark.parametrize("arguments", [["--data", "no/such/folder"]])
def test_missing_data_end_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "missing: prepare the dataset first" in error
    assert "Traceback" not in error


def test_a_second_run_on_the_same_data_is_refused(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / ".training-tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        data = release.path.parent.parent / "prepared"
        assert main(["--data", str(data), "--out", str(tmp_path)]) == 1
    assert "held by another training run" in capsys.readouterr().err
