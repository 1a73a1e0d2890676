"""All words of the catalogue, to mend typing errors with."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from services.item.search.text import singulars, undoubled, variants

_SHORTEST = 4  # shorter words are left as they are: too much is near them
_TWO_ERRORS = 6  # from this length on two errors are mended, else one
_NEAREST = 50
_BEGINNING = 30  # words that an abbreviation stands for, at most


class Vocabulary:
    """Words with the number of items that have them. One thread adds, any number read."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        # Replaced, never changed
        self._sorted: list[str] = []
        self._targets: list[str] = []  # words and their singulars: what may have been meant

    def add(self, words: Iterable[str]) -> None:
        """Count the words of one item; `freeze` makes them known."""
        self._count.update(set(words))

    def freeze(self) -> None:
        """Make known what was added."""
        if len(self._sorted) != len(self._count):
            self._sorted = sorted(self._count)
            plain = [word for word in self._sorted if word.isalpha() and len(word) >= _SHORTEST - 1]
            self._targets = list({*plain, *(one for word in plain for one in singulars(word))})

    def known(self, word: str) -> list[str]:
        """Which of the word and its other number there are."""
        return [one for one in variants(word) if one in self._count]

    def beginning(self, prefix: str) -> list[str]:
        """Some words that begin so."""
        words = self._sorted
        place = bisect_left(words, prefix)
        return [word for word in words[place : place + _BEGINNING] if word.startswith(prefix)]

    def mended(self, word: str) -> str:
        """The word that was probably meant: the nearest, and of those the most frequent; else the same."""
        if len(word) < _SHORTEST or not word.isalpha():
            return word
        most = 2 if len(word) >= _TWO_ERRORS else 1
        near = process.extract(
            word, self._targets, scorer=OSA.distance, processor=None, score_cutoff=most, limit=_NEAREST
        )
        if not near:
            return word
        same = undoubled(word)

        def strangeness(target: str, errors: float) -> tuple[float, bool, int, str]:
            # A letter doubled or not is the commonest error; one in the first letter is rare.
            count = max(self._count[one] for one in variants(target))
            return errors - (undoubled(target) == same) * 0.5, target[0] != word[0], -count, target

        return min(near, key=lambda hit: strangeness(hit[0], hit[1]))[0]
