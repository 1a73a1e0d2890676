"""The README's walk through one request is the way that a request takes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType, SimpleNamespace

import pytest

from engine.features import Event
from scripts.walk import ROOT, WALK, lines_of, section
from tests.support.releases import write_release
from tests.support.request_path import real_path
from tests.support.stand_ins import NOW
from webapp.storefront.feeds import ask_for_you

pytestmark = pytest.mark.unit

DAY = 86_400_000
LOOKED_UP = (
    "engine/candidates.py", "engine/run.py", "engine/snapshot.py", "engine/types.py", "engine/vocabulary.py",
    "engine/ids.py", "engine/predictor.py", "engine/records.py", "engine/release.py",
    "engine/features/", "engine/kernels/", "engine/recall/",
)  # fmt: skip
"""Types, a release in memory, and the parts of features and channels: read when a name is looked up."""


def files_entered(folder: Path) -> list[str]:
    """The repository's files in the order in which a request for a shopper's list first enters them."""
    path = real_path(folder)
    events = [Event(f"i{row}", "purchase", NOW - row * DAY - 1) for row in (1, 2, 13)]
    path.users.add("u1", [Event("i3", "click", NOW - 1), *events], age="2")
    shop = SimpleNamespace(services=SimpleNamespace(recommend=path.recommend), list_timeout_s=5.0)
    entered: dict[str, None] = {}

    def follow(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(ROOT) and "site-packages" not in file.parts:
            entered.setdefault(file.relative_to(ROOT).as_posix())

    sys.setprofile(follow)
    try:
        found = ask_for_you(shop, SimpleNamespace(user_id="u1"))  # type: ignore[arg-type]
    finally:
        sys.setprofile(None)
    assert len(found.answer.items) == 24
    return list(entered)


def test_a_request_enters_the_files_of_the_walk_in_its_order(tmp_path: Path) -> None:
    entered = files_entered(write_release(tmp_path))
    walk = [path for path, _ in WALK]
    assert [path for path in entered if path in walk] == walk
    # Whatever else of the engine runs is no stage of its own; a shell checks, counts and stores.
    engine = [path for path in entered if path.startswith("engine/") and path not in walk]
    assert [path for path in engine if not path.startswith(LOOKED_UP)] == []


def test_the_walk_is_short_enough_to_be_read() -> None:
    assert len(WALK) <= 7
    assert all(lines_of(path) <= 300 for path, _ in WALK)
    assert sum(lines_of(path) for path, _ in WALK) <= 1_500


def test_the_readme_has_the_walk_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert section() in readme, "say: python -m scripts.walk --write"
