"""What bench.training_speed hands from process to process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.training_samples import read_items, write_items
from engine.features import ItemTable
from engine.release import Release
from tests.support.releases import write_release

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("has_neighbours", [True, False])
def test_a_table_of_items_is_read_as_it_was_written(tmp_path: Path, has_neighbours: bool) -> None:
    release = Release.load(write_release(tmp_path))
    items = release.items
    table = ItemTable(items.schema, items.ids, items.features, items.prices, items.stats, items.data_end)
    if has_neighbours:
        table.neighbours = np.arange(2 * len(items), dtype=np.int32).reshape(-1, 2)
        table.neighbour_scores = np.linspace(0, 1, 2 * len(items), dtype=np.float32).reshape(-1, 2)

    write_items(table, tmp_path)
    again = read_items(tmp_path)

    assert again.schema == table.schema
    assert (again.ids, again.data_end) == (table.ids, table.data_end)
    for name in ("features", "prices", "stats", "neighbours", "neighbour_scores"):
        before, after = getattr(table, name), getattr(again, name)
        assert (before is None) == (after is None)
        if before is not None:
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(after, before)
