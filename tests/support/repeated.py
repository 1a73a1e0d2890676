"""A call that is made again and again while something else happens."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Repeated:
    """A context manager that calls `ask` every `pause_s` seconds, one call after the other, until its end.

    `answers`: how many calls returned; `failures`: what the others raised.
    """

    def __init__(self, ask: Callable[[], None], pause_s: float = 0.1) -> None:
        self._ask, self._pause_s, self._stop = ask, pause_s, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers = 0
        self.failures: list[str] = []

    def __enter__(self) -> Repeated:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            try:
                self._ask()
                self.answers += 1
            except Exception as error:  # whatever it is, a shopper got no answer
                self.failures.append(repr(error))
