"""The compiled kernels of recall give what numpy defines: the same rows in the same order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import kernels
from engine.recall.merge import merge_channels
from engine.recall.neighbours import sum_neighbours

pytestmark = pytest.mark.unit

N_ITEMS, WIDTH = 50, 6


@pytest.fixture(scope="module", autouse=True)
def compiled() -> kernels.Kernels:
    """Loaded kernels; other tests find numpy again."""
    assert kernels.load()
    loaded = kernels.loaded()
    assert loaded is not None
    kernels.unload()
    return loaded


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_sources=st.integers(0, 12),
    n_excluded=st.integers(0, 20),
    count=st.integers(1, 60),
    masked=st.booleans(),
    levels=st.sampled_from([2, 1_000]),  # few levels of strength make many ties
)
@example(seed=1, n_sources=0, n_excluded=0, count=5, masked=False, levels=2)
def test_neighbours_are_summed_as_by_numpy(
    compiled: kernels.Kernels,
    seed: int,
    n_sources: int,
    n_excluded: int,
    count: int,
    masked: bool,
    levels: int,
) -> None:
    rng = np.random.default_rng(seed)
    neighbours = rng.integers(-1, N_ITEMS, (N_ITEMS, WIDTH)).astype(np.int32)
    strength = (rng.integers(1, levels, (N_ITEMS, WIDTH)) / levels).astype(np.float32)
    allowed = rng.random(N_ITEMS) < 0.7 if masked else None
    sources = rng.permutation(N_ITEMS)[:n_sources].astype(np.int64)
    excluded = np.sort(rng.permutation(N_ITEMS)[:n_excluded]).astype(np.int64)
    weights = np.log1p(rng.integers(1, 4, n_sources).astype(np.float64))
    mask = np.empty(0, np.bool_) if allowed is None else allowed
    expected = sum_neighbours(sources, weights, neighbours, strength, mask, excluded, count)
    found = compiled.sum_neighbours(sources, weights, neighbours, strength, mask, excluded, count)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])  # the same sums in the same order, to the last bit
    np.testing.assert_array_equal(found[2], expected[2])


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 15), min_size=1, max_size=6),
    top_k=st.integers(1, 40),
)
@example(seed=1, sizes=[0, 0], top_k=3)
def test_channels_are_merged_as_by_numpy(
    compiled: kernels.Kernels, seed: int, sizes: list[int], top_k: int
) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(20)[:size].astype(np.int64) for size in sizes]
    rows = np.concatenate(parts)
    # Quotas that share moments: two channels are often due at once.
    quotas = [rng.choice([0.25, 0.5, 1.0]) for _ in sizes]
    due = np.concatenate([(np.arange(size) + 0.5) / quota for size, quota in zip(sizes, quotas, strict=True)])
    starts = np.cumsum([0, *sizes])
    numbers = rng.permutation(8)[: len(sizes)].astype(np.int64)
    why = np.where(rng.random(len(rows)) < 0.5, rng.integers(0, 20, len(rows)), -1)
    expected = merge_channels(rows, starts, due, numbers, why, top_k)
    for one, other in zip(
        compiled.merge_channels(rows, starts, due, numbers, why, top_k), expected, strict=True
    ):
        np.testing.assert_array_equal(one, other)
