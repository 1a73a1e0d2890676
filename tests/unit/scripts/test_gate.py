"""Which release is served: what was released, and else only what beats popularity."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.console import CommandError
from scripts.release import newest
from scripts.supervision import building
from services.settings import Settings

pytestmark = pytest.mark.unit

GOOD, POOR, FIRST = "shop-20260201T000000Z", "shop-20260301T000000Z", "shop-20260101T000000Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Three releases of the shop; the newest is no better than popularity."""
    for name, passed in ((FIRST, True), (GOOD, True), (POOR, False)):
        folder = tmp_path / "artifacts" / name
        folder.mkdir(parents=True)
        metrics = {
            "gate_passed": passed,
            "pipeline": {"ndcg_at_20": 0.1},
            "popularity": {"ndcg_at_20": 0.125},
            "window_days": 28.0,
        }
        (folder / "manifest.json").write_text(json.dumps({"metrics": metrics}))
    (tmp_path / "state").mkdir()
    return Settings(
        _env_file=None, artifacts_dir=tmp_path / "artifacts", state_dir=tmp_path / "state", dataset="shop"
    )


def test_of_what_was_never_released_the_newest_that_passed_is_served(settings: Settings) -> None:
    assert building.pick_release(settings) == settings.artifacts_dir / GOOD


def test_what_was_released_stays_though_newer_ones_were_trained(settings: Settings) -> None:
    (settings.artifacts_dir / "current").write_text(FIRST)
    assert building.pick_release(settings) == settings.artifacts_dir / FIRST

    (settings.artifacts_dir / "current").write_text(POOR)  # somebody named it
    assert building.pick_release(settings) == settings.artifacts_dir / POOR


def test_another_copy_of_the_same_releases_does_not_change_what_this_one_serves(settings: Settings) -> None:
    (settings.artifacts_dir / "current").write_text(GOOD)
    (settings.state_dir / building.RELEASED).write_text(FIRST)

    assert building.pick_release(settings) == settings.artifacts_dir / FIRST


def test_a_release_no_better_than_popularity_has_to_be_named(settings: Settings) -> None:
    with pytest.raises(CommandError) as told:
        newest(settings)
    said = str(told.value)
    assert said.startswith(
        f"{POOR} is not served by itself: on the last 28 days of the data its lists are no "
    )
    assert "(N@20 0.1000 to 0.1250)" in said
    assert said.endswith(f"; make release NAME={POOR} serves it all the same")
    for name in (GOOD, FIRST):
        shutil.rmtree(settings.artifacts_dir / name)
    assert building.pick_release(settings) is None  # then one is trained
    assert building.named_release(settings, POOR).name == POOR
    with pytest.raises(CommandError, match=f"no release of shop in .*; there are: {POOR}"):
        building.named_release(settings, GOOD)
