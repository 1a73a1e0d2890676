"""What is loaded once is left alone by the garbage collector, and is still freed when dropped."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from services.common.memory import settle

pytestmark = pytest.mark.unit


class Loaded(dict[str, list[int]]):
    """A catalogue that can be watched."""


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_was_loaded_is_not_walked_any_more() -> None:
    catalogue = Loaded({str(number): [number] for number in range(1_000)})

    settle()

    assert gc.get_freeze_count() > 1_000
    assert not any(found is catalogue for found in gc.get_objects())


def test_what_is_dropped_is_freed_all_the_same() -> None:
    catalogue = Loaded({"1": [1]})
    settle()
    watched = weakref.ref(catalogue)

    del catalogue

    assert watched() is None
