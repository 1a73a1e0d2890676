"""Which stretches of time a training learns from, and which it is validated on.

    begin ……… │ cutoff │ cutoff │ cutoff │ validation │ end      windows of equal length, each predicted from
              └ the towers learn from what lies before            what came before it

Where a sixth of the data is shorter than what is to be predicted, the ranker that is published learns from
other windows, as long as a third of the data allows, that begin half a window apart: what sells in the next
two weeks is not what sells in the next four (docs/adr/0157).
"""

from __future__ import annotations

from dataclasses import dataclass

from models.features import DAY_MS


def validation_window(begin: int, end: int, days: float) -> int:
    """Length of the windows that data from ``begin`` to ``end`` (ms) are cut into, at most ``days``; ms."""
    return int(min(days * DAY_MS, (end - begin) / 6))


@dataclass(frozen=True)
class Windows:
    """Times in ms since the epoch, lengths in ms."""

    length: int  # of the windows before and of the validation
    validate_from: int
    cutoffs: tuple[int, ...]  # of the windows before the validation, newest first
    horizon: int  # of the newest windows
    newest: tuple[int, ...]  # cutoffs of what the published ranker learns from last, newest first

    @classmethod
    def of(cls, begin: int, end: int, days: float, count: int) -> Windows:
        """``count`` windows before the validation, of at most ``days``, in data from ``begin`` to ``end``.

        With too little data the earliest lies at ``begin`` or before it."""
        length = validation_window(begin, end, days)
        validate_from = end - length
        cutoffs = tuple(validate_from - (k + 1) * length for k in range(count))
        horizon = int(min(days * DAY_MS, (end - begin) / 3))
        if horizon == length:
            return cls(length, validate_from, cutoffs, horizon, (validate_from,))
        newest = tuple(end - horizon - k * horizon // 2 for k in range(count + 1))
        known = tuple(at for at in newest if at >= min(cutoffs))  # the towers have seen what comes before
        return cls(length, validate_from, cutoffs, horizon, known)

    @property
    def anew(self) -> bool:
        """Whether the newest windows are longer than those before the validation."""
        return self.horizon > self.length

    @property
    def tower_until(self) -> int:
        """What the towers learn before the validation ends here."""
        return min(self.cutoffs)
