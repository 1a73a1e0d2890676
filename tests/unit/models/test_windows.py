"""How long a stretch of time a training predicts."""

from __future__ import annotations

import pytest

from engine.features import DAY_MS
from models.training.windows import validation_window


@pytest.mark.parametrize(("span", "length"), [(60, 10), (168, 28), (600, 28)])
def test_a_window_is_a_sixth_of_the_data_at_most(span: int, length: int) -> None:
    assert validation_window(5, 5 + span * DAY_MS, 28.0) == length * DAY_MS
