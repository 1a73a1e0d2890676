"""Which stretches of time a training learns from."""

from __future__ import annotations

from models.features import DAY_MS
from models.windows import Windows, validation_window


def days(*moments: int) -> list[float]:
    return [moment / DAY_MS for moment in moments]


def test_long_data_are_cut_into_windows_of_the_length_asked_for() -> None:
    windows = Windows.of(0, 365 * DAY_MS, 28.0, 3)
    assert days(windows.length, windows.horizon) == [28, 28]
    assert days(windows.validate_from, *windows.cutoffs) == [337, 309, 281, 253]
    assert not windows.anew
    assert windows.newest == (windows.validate_from,)
    assert days(windows.tower_until) == [253]


def test_short_data_teach_the_published_ranker_by_longer_windows_that_overlap() -> None:
    windows = Windows.of(0, 90 * DAY_MS, 28.0, 3)
    assert days(windows.length, windows.horizon) == [15, 28]
    assert days(*windows.cutoffs) == [60, 45, 30]
    assert windows.anew
    # 20 days after the beginning the towers would have seen what they are asked to foretell.
    assert days(*windows.newest) == [62, 48, 34]


def test_no_window_reaches_past_the_end_or_into_what_the_towers_learnt() -> None:
    for span in range(30, 400, 7):
        for count in (1, 2, 4):
            windows = Windows.of(5, 5 + span * DAY_MS, 28.0, count)
            assert windows.newest
            assert all(at + windows.horizon <= 5 + span * DAY_MS for at in windows.newest)
            assert all(at >= windows.tower_until for at in windows.newest)
            assert windows.cutoffs[0] + windows.length == windows.validate_from


def test_the_validation_takes_a_sixth_of_the_data_at_most() -> None:
    assert days(validation_window(0, 60 * DAY_MS, 28.0)) == [10]
    assert days(validation_window(0, 600 * DAY_MS, 28.0)) == [28]
