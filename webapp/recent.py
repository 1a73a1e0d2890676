"""The last good answers, kept in the process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `most` values, those used last, each for at most `keep_s` seconds."""

    def __init__(self, most: int, keep_s: float) -> None:
        self._most, self._keep_s = most, keep_s
        self._held: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def put(self, key: K, value: V) -> None:
        """Keep a value, instead of an older one."""
        self._held[key] = (time.monotonic(), value)
        self._held.move_to_end(key)
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def get(self, key: K) -> V | None:
        """The value; None for none, and for one that is too old."""
        held = self._held.get(key)
        if held is None:
            return None
        if time.monotonic() - held[0] > self._keep_s:
            self.drop(key)
            return None
        self._held.move_to_end(key)
        return held[1]

    def drop(self, key: K) -> None:
        """Forget a value, if there is one."""
        self._held.pop(key, None)

    def __len__(self) -> int:
        return len(self._held)
