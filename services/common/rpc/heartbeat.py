"""Signs of life of a worker process, over a pipe to the parent that started it.

Workers share a port, so nobody outside can ask one of them. A beat says that the worker's threads take work:
one whose threads all wait for something that never comes does not beat, nor does one that stands still.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress

BEAT_S = 1.0
HUNG_S = 16.0  # as long as the watchdog of parts waits: a hang of some seconds may end by itself
_LOOK_S = 1.0  # a parent that did not look for so long was held up itself


def beat(write_end: int, pools: Sequence[Executor]) -> None:
    """Beat from now on, in a thread of its own, whenever each of `pools` has done a piece of work."""
    threading.Thread(target=_beat, args=(write_end, pools), name="heartbeat", daemon=True).start()


def _beat(write_end: int, pools: Sequence[Executor]) -> None:
    try:
        while True:
            for work in [pool.submit(int) for pool in pools]:
                work.result()
            with suppress(BlockingIOError):  # full: the parent has not looked for long
                os.write(write_end, b".")
            time.sleep(BEAT_S)
    except (OSError, RuntimeError):  # the parent has gone, or the pool ends
        return


class Pulse:
    """The parent's end of a worker's pipe. A worker that has never beaten is still starting."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(self.write_end, False)
        self._last_beat = 0.0
        self._looked_at = clock()

    def is_lost(self) -> bool:
        """Whether the worker has beaten once, and not for `HUNG_S` seconds. To be asked often."""
        now = self._clock()
        try:
            beaten = bool(os.read(self.read_end, 4096))
        except BlockingIOError:
            beaten = False
        held_up = now - self._looked_at > _LOOK_S
        self._looked_at = now
        if beaten or (held_up and self._last_beat):
            self._last_beat = now
        return bool(self._last_beat) and now - self._last_beat > HUNG_S

    def close(self) -> None:
        """Close both ends, as far as they are open here."""
        for end in (self.read_end, self.write_end):
            if end >= 0:
                os.close(end)
        self.read_end = self.write_end = -1
