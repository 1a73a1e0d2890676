"""How long a stretch of time a training predicts: one definition for all that cut data into windows."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone

from engine.features import DAY_MS


def validation_window(begin: int, end: int, days: float) -> int:
    """Length in ms of the windows that data from ``begin`` to ``end`` (ms) are cut into: at most ``days`` and
    a sixth of the data, so that several windows and a past for the earliest fit."""
    return int(min(days * DAY_MS, (end - begin) / 6))


def parse_date(text: str) -> int:
    """A day as ms since the epoch, for argparse."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2017-12-04") from None
