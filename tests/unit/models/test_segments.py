"""What profiles say about items: additive effects, fitted on purchases small enough to see through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.features import DAY_MS
from engine.recall.segments import Profile, Segments
from engine.release import Release, ReleaseError, ReleaseWriter
from models.training.channels import Purchases
from models.training.segment_fit import fit_segments
from tests.support.releases import write_release
from tests.unit.models.conftest import NOW

pytestmark = pytest.mark.unit

USERS, ITEMS = 400, 6


def fitted(ridge: float = 10.0) -> Segments:
    """Everybody buys item 0; the young item 1, the old item 2, women item 3. Half of them tell their sex."""
    profiles: list[Profile] = []
    pairs = []
    for number in range(USERS):
        young, female, tells = number % 2 == 0, number % 4 < 2, number % 8 < 4
        profile = {"age": "young" if young else "old"}
        profiles.append({**profile, "sex": "f" if female else "m"} if tells else profile)
        pairs += [(number, 0), (number, 1 if young else 2)] + ([(number, 3)] if female else [])
    profiles += [{}] * 40
    pairs += [(number, 4) for number in range(USERS, USERS + 40)]
    user, row = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    at = np.full(len(pairs), NOW - DAY_MS, np.int64)
    purchases = Purchases(user, row, at, np.ones(len(pairs)), USERS + 40, ITEMS, NOW)
    return fit_segments(purchases, profiles, ["age", "sex"], ridge)


SEGMENTS = fitted()


def test_values_and_what_is_left_out_are_segments() -> None:
    assert SEGMENTS.names == ("age=old", "age=young", "sex=", "sex=f", "sex=m")
    assert [SEGMENTS.names[place] for place in SEGMENTS.of({"age": "old"})] == ["age=old", "sex="]


def test_all_values_of_a_profile_count_together() -> None:
    assert SEGMENTS.ranked({"age": "young", "sex": "f"}, 3).tolist() == [0, 1, 3]
    assert SEGMENTS.ranked({"age": "old", "sex": "m"}, 2).tolist() == [0, 2]
    assert SEGMENTS.ranked({"age": "old", "sex": "f"}, 3).tolist() == [0, 2, 3]


def test_a_profile_that_tells_nothing_gets_nothing() -> None:
    nothing: tuple[Profile, ...] = ({}, {"age": ""}, {"shoe_size": "44"})
    for profile in nothing:
        assert len(SEGMENTS.ranked(profile, 5)) == 0


def test_a_value_never_seen_is_passed_over() -> None:
    assert SEGMENTS.ranked({"age": "young", "sex": "other"}, 2).tolist() == [0, 1]


def test_a_reason_is_true_or_not_given() -> None:
    """Nobody's segment buys more of item 0 than everybody does; the young do of item 1, women of item 3."""
    mine = SEGMENTS.of({"age": "young", "sex": "f"})
    kept = np.flatnonzero(np.isin(SEGMENTS.rows, [1, 3, 4]))
    reasons = SEGMENTS.reasons(mine, kept).tolist()
    assert [SEGMENTS.names[one] if one >= 0 else "" for one in reasons] == ["age=young", "sex=f", ""]
    assert SEGMENTS.lifts[SEGMENTS.names.index("age=young"), 2] < 1


def test_what_is_left_out_is_no_reason() -> None:
    mine = SEGMENTS.of({"age": "young"})
    reasons = set(SEGMENTS.reasons(mine, np.arange(ITEMS)).tolist())
    assert reasons <= {SEGMENTS.names.index("age=young"), -1}


def test_a_strong_ridge_leaves_popularity() -> None:
    assert np.abs(fitted(1e9).effects).max() < 1e-3


def test_two_features_that_say_the_same_are_not_counted_twice() -> None:
    user = np.arange(40, dtype=np.int64)
    at = np.full(40, NOW - 1, np.int64)
    purchases = Purchases(user, user % 2, at, np.ones(40), 40, 2, NOW)
    once: list[Profile] = [{"a": str(n % 2)} for n in range(40)]
    twice: list[Profile] = [{"a": str(n % 2), "b": str(n % 2)} for n in range(40)]
    one, two = (fit_segments(purchases, part, ["a", "b"], 1e-3) for part in (once, twice))
    scores = [part.scores(part.of(profiles[0])) for part, profiles in ((one, once), (two, twice))]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)


def test_without_profiles_there_are_no_segments() -> None:
    user = np.arange(40, dtype=np.int64)
    purchases = Purchases(user, user % 2, np.full(40, NOW - 1, np.int64), np.ones(40), 40, 2, NOW)
    segments = fit_segments(purchases, [{}] * 40, ["age"])
    assert segments.names == ()
    assert len(segments.ranked({"age": "1"}, 5)) == 0


def test_a_release_keeps_them(tmp_path: Path) -> None:
    release = Release.load(_with_segments(tmp_path, SEGMENTS))
    again = release.segments.in_memory()
    assert again.names == SEGMENTS.names
    for name in ("rows", "base", "effects", "lifts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(SEGMENTS, name))


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torn = Segments(SEGMENTS.names[1:], SEGMENTS.rows, SEGMENTS.base, SEGMENTS.effects, SEGMENTS.lifts)
    with pytest.raises(ReleaseError, match="segment arrays do not fit together: train again"):
        _with_segments(tmp_path, torn)


def test_a_release_with_lists_only_adds_them_up(tmp_path: Path) -> None:
    release = Release.load(write_release(tmp_path))
    expected = release.items.row_of([item for item, _ in release.channels.segments["age=2"][:20]])
    assert release.segments.ranked({"age": "2"}, 20).tolist() == expected.tolist()
    assert len(release.segments.ranked({"age": "2"}, 300)) == 60
    assert len(release.segments.ranked({"age": "9"}, 300)) == 0


def _with_segments(folder: Path, segments: Segments) -> Path:
    """The tiny release with these segments."""
    plain = write_release(folder / "plain")
    release = Release.load(plain)
    with ReleaseWriter(folder, release.name) as writer:
        for name in release.manifest["files"]:
            (writer.path / name).parent.mkdir(parents=True, exist_ok=True)
            (writer.path / name).write_bytes((plain / name).read_bytes())
        writer.segments(segments)
        return writer.publish({**release.manifest})
