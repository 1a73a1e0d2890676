"""Load on pages and REST answers as shoppers make it: so many a second, whatever the answers do."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One answer; `status` 0 when there was none, `stale` the header's parts."""

    path: str
    status: int
    took_s: float
    stale: str = ""


class PageLoad:
    """A context manager that asks for `paths` in turn, so many a second, each in a thread of its own."""

    def __init__(self, url: str, paths: Sequence[str], per_second: float = 20.0) -> None:
        self._url, self._paths, self._pause_s = url, paths, 1 / per_second
        self._stop = threading.Event()
        self._asking: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run)
        self.answers: list[Answer] = []

    def __enter__(self) -> PageLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for one in self._asking:
            one.join()

    @property
    def failures(self) -> list[Answer]:
        """Answers of the server's fault, and none at all."""
        return [answer for answer in self.answers if not 200 <= answer.status < 500]

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._pause_s):
            path = self._paths[number % len(self._paths)]
            number += 1
            self._asking.append(threading.Thread(target=self._ask, args=(path,)))
            self._asking[-1].start()

    def _ask(self, path: str) -> None:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(self._url + path, timeout=20) as answer:  # noqa: S310 - our own address
                answer.read()
                status, stale = answer.status, answer.headers.get("X-ECRS-Stale", "")
        except urllib.error.HTTPError as error:
            status, stale = error.code, ""
        except OSError:
            status, stale = 0, ""
        self.answers.append(Answer(path, status, time.monotonic() - began, stale))
