"""What data must hold to be trained on: checked before anything that takes long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np

from engine.features import DAY_MS
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.training.dataset import CatalogueEvents, DataFault, PreparedData
from models.training.samples import active_users


def check_events(data: PreparedData) -> None:
    """Raises DataFault where there is nothing to predict: one line that says what is missing."""
    stream = data.events
    names = np.array(HISTORY_EVENT_TYPES)
    wanted = ", ".join(names[data.positive].tolist())
    taken = data.positive[stream.type] & (stream.item >= 0)
    if not taken.any():
        kinds, counts = np.unique(stream.type, return_counts=True)
        found = ", ".join(f"{count:,} {names[kind]}" for kind, count in zip(kinds, counts, strict=True))
        raise DataFault(
            f"{data.name}: no events of the type that is to be predicted ({wanted}), but {found}: name one "
            "of these as `positive` under [dataset] of the mapping file, and prepare again"
        )
    items = len(np.unique(stream.item[taken]))
    if items < 2:
        raise DataFault(
            f"{data.name}: only 1 item has events of the type {wanted}: training needs 2 or more to compare"
        )
    if data.end - data.begin < 2:
        raise DataFault(
            f"{data.name}: all {len(stream.at):,} events are of one moment, {_day(data.begin)}: training "
            "predicts later events from earlier ones: name the column of the time in the mapping file"
        )


def check_windows(events: CatalogueEvents, begins: Sequence[int], window: int) -> None:
    """Raises DataFault where nobody comes back in one of the windows: each needs a shopper with any event
    before it and a positive one in it. ``begins`` and ``window``, their length: ms."""
    data = events.data
    for begin in begins:
        if len(active_users(events, begin, begin + window)):
            continue
        shoppers = len(np.unique(data.events.user[data.events.at < begin]))
        raise DataFault(
            f"{data.name}: of {shoppers:,} shoppers with events before {_day(begin)} "
            f"nobody has one to predict in the {_length(window)} after it: training needs shoppers who come "
            f"back in each of the last {len(begins)} periods of that length: export a longer time, or more "
            "shoppers"
        )


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, timezone.utc):%Y-%m-%d %H:%M}"


def _length(window: int) -> str:
    days = window / DAY_MS
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"
