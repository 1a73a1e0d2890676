"""The sequence tower's settings by the size of the data: chosen on validation, never by what a test said.

Dense data (MovieLens-1M: a million events, hundreds of each item) have the settings that were chosen there: a
fixed number of epochs, little dropout. Sparse data learn by heart what they have in a few epochs: batches
small enough for some hundred steps an epoch, much dropout, and the training ends by itself when validation no
longer gets better.
"""

from __future__ import annotations

from models.evaluate.sequences import Sequences
from models.sequence import SequenceConfig

DENSE = SequenceConfig()
_DENSE_EVENTS, _DENSE_PER_ITEM = 500_000, 100
_NEGATIVES = 2048
_STEPS, _SMALLEST = 200, 1024  # in an epoch; and the positions of a batch that is small enough for them
_POSITIONS, _EPOCHS = 2_400_000, (3, 30)  # to learn at altogether at most; bounds of the epochs


def settings_for(data: Sequences) -> tuple[SequenceConfig, int]:
    """The settings of a tower for these data, and how many towers make one."""
    sizes = [len(history) for history in data.histories]
    events = sum(sizes)
    if events >= _DENSE_EVENTS and events >= _DENSE_PER_ITEM * data.n_items:
        return DENSE, 2
    return SequenceConfig(
        length=min(DENSE.length, max(sizes)),
        dropout=0.3,
        batch_tokens=min(DENSE.batch_tokens, max(_SMALLEST, events // _STEPS)),
        epochs=min(max(_POSITIONS // events, _EPOCHS[0]), _EPOCHS[1]),
        learning_rate=1e-3,
        patience=3,
        negatives=_NEGATIVES if data.n_items > 2 * _NEGATIVES else 0,
        warm=True,
    ), 1
