"""The sequence tower's settings by the size of the data: chosen on validation, never by what a test said.

Dense data (MovieLens-1M: a million events, hundreds of each item) have the settings that were chosen there: a
fixed number of epochs, little dropout. Sparse data learn by heart what they have in a few epochs: small
batches, for hundreds of steps an epoch, much dropout, and the training ends by itself when validation no
longer gets better; beside the tower they have a memory (``sequence_memory``).
"""

from __future__ import annotations

from dataclasses import dataclass

from models.evaluation.methods.sequence import SequenceConfig
from models.evaluation.sequences import Sequences

DENSE = SequenceConfig()
_DENSE_EVENTS, _DENSE_PER_ITEM = 500_000, 100
_NEGATIVES = 2048
_BATCH_TOKENS = 1024
_POSITIONS, _EPOCHS = 5_000_000, (3, 13)  # to learn at altogether; bounds of the epochs
_MANY_EVENTS = 500_000  # from here on a higher learning rate


@dataclass(frozen=True)
class TowerSetup:
    """What the method ``sequence`` is made of."""

    config: SequenceConfig
    members: int = 1  # towers that make one
    content: bool = False  # items by content too
    refit: bool = False  # in the end some epochs with the validation items
    memory: float | None = 0.0  # the memory's weight; None: chosen on validation


def setup_for(data: Sequences) -> TowerSetup:
    """The towers for these data, and whether they have a memory."""
    sizes = [len(history) for history in data.histories]
    events = sum(sizes)
    if events >= _DENSE_EVENTS and events >= _DENSE_PER_ITEM * data.n_items:
        return TowerSetup(DENSE, members=2)
    config = SequenceConfig(
        length=min(DENSE.length, max(sizes)),
        dropout=0.3,
        batch_tokens=_BATCH_TOKENS,
        epochs=min(max(_POSITIONS // events, _EPOCHS[0]), _EPOCHS[1]),
        learning_rate=2e-3 if events >= _MANY_EVENTS else 1e-3,
        patience=3,
        negatives=_NEGATIVES if data.n_items > 2 * _NEGATIVES else 0,
        warm=True,
    )
    return TowerSetup(config, memory=None)
