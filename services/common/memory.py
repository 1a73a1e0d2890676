"""What is loaded once and kept is no work for the garbage collector."""

from __future__ import annotations

import gc

_THRESHOLDS = (10_000, 20, 20)  # a request makes some thousand objects, and reference counts end nearly all


def settle() -> None:
    """Call after loading something large that stays: a release, a catalogue.

    Python's cyclic collector walks every container it knows of again and again; a catalogue's hundred
    thousands made that the largest single cost of a request. Frozen objects are not walked any more, and are
    still freed by their reference counts.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
