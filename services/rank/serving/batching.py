"""From a request of any size to the few batch shapes the model runs on, and back.

oneDNN compiles and caches kernels for each new batch size, so free sizes mean memory that grows without end.
Rows are padded to the next of `BATCH_SIZES`; more rows than the largest are cut into several batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.features.feeds import Feed

Array = np.ndarray[Any, Any]

BATCH_SIZES = (32, 64, 128, 256, 512, 1024)
MAX_ROWS = 65_536
"""More rows than this in one request are refused: a candidate list is hundreds, and one request must not hold
the
only predictor for seconds."""


class BadRequest(ValueError):
    """Feeds that do not fit the model: names, dtypes, shapes or row counts."""


def check(feeds: Mapping[str, Array], expected: Sequence[Feed]) -> int:
    """Compare a request with the manifest; returns the number of rows B.

    Args:
        feeds: name → array [B, …] of the request.
        expected: the model's feeds.

    Raises:
        BadRequest: says which feed is wrong and how.
    """
    names = {feed.name for feed in expected}
    if missing := sorted(names - set(feeds)):
        raise BadRequest(f"missing feeds: {', '.join(missing)}")
    if unknown := sorted(set(feeds) - names):
        raise BadRequest(f"unknown feeds: {', '.join(unknown)[:200]}")
    rows: int | None = None
    for feed in expected:
        array = feeds[feed.name]
        if array.dtype != feed.dtype:
            raise BadRequest(f"feed {feed.name} is {array.dtype}, the model takes {feed.dtype}")
        if array.ndim == 0 or array.shape[1:] != feed.shape:
            raise BadRequest(f"feed {feed.name} is {list(array.shape)}, the model takes [rows, {feed.dims}]")
        if rows is not None and len(array) != rows:
            raise BadRequest(f"feed {feed.name} has {len(array)} rows, the others have {rows}")
        rows = len(array)
    if not rows:
        raise BadRequest("no rows")
    if rows > MAX_ROWS:
        raise BadRequest(f"{rows} rows, at most {MAX_ROWS} in one request")
    return rows


def split(feeds: Mapping[str, Array], rows: int) -> list[dict[str, Array]]:
    """Cut and pad B rows into batches of the sizes in `BATCH_SIZES`, in order.

    A padded row repeats the batch's first one, which is always a valid input; zeros might not be.
    """
    batches = []
    for start in range(0, rows, BATCH_SIZES[-1]):
        count = min(rows - start, BATCH_SIZES[-1])
        padding = next(size for size in BATCH_SIZES if size >= count) - count
        batch = {}
        for name, array in feeds.items():
            part = array[start : start + count]
            batch[name] = np.concatenate([part, np.repeat(part[:1], padding, axis=0)])
        batches.append(batch)
    return batches


def join(outputs: Sequence[Array], rows: int) -> Array:
    """Undo `split` for one output of the model: [B, …], without the padding."""
    joined: Array = np.concatenate(outputs) if len(outputs) > 1 else outputs[0]
    return joined[:rows]
