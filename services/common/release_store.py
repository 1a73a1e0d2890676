"""Which release is current, and having it loaded: the new one beside the old, then one swap.

Redis `ecrs:release` names the current release; while Redis is away, or names none, the file `current` in the
artifacts folder does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import structlog

from engine.errors import EcrsError, ReleaseNotLoaded
from services.common import keys
from services.common.epochs import Epochs, Reading
from services.common.follower import Follower
from services.common.memory import settle
from services.common.redis import Redis, redis_errors

log = structlog.get_logger()

T = TypeVar("T")

CURRENT_FILE = "current"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_RETRY_BROKEN_S = 15.0


class ReleaseStore(Generic[T]):
    """Holds what `load` made of the current release and of the one before it.

    Args:
        artifacts_dir: folder of the releases.
        load: makes the object from a release's folder; may take long and raise anything.
        redis: where `ecrs:release` is; None without Redis.
        warm: called with the new object before anyone else sees it, to pay first-use costs.
        close: called with an object that is not needed any more, after the last request that may use it.
        poll_s: seconds between two looks at the name.

    A release that cannot be loaded or warmed is logged and changes nothing. Requests call `get` within
    `reading()`: what they got stays open until they end. Thread-safe.
    """

    def __init__(
        self,
        artifacts_dir: Path,
        load: Callable[[Path], T],
        redis: Redis | None = None,
        *,
        warm: Callable[[T], object] | None = None,
        close: Callable[[T], object] | None = None,
        poll_s: float = 1.0,
    ) -> None:
        self._dir, self._load, self._redis, self._warm, self._close = artifacts_dir, load, redis, warm, close
        self._epochs = Epochs()
        # (current name, loaded by name): replaced as one, never changed, so that readers need no lock
        self._state: tuple[str, dict[str, T]] = ("", {})
        self._why_not = "no release is current yet: run `make train`"
        self._broken: tuple[str, float] = ("", 0.0)
        self._refreshing = Lock()
        self._follower = Follower("release-store", "release_poll_failed", self.refresh, poll_s, at_once=False)

    def open(self) -> ReleaseStore[T]:
        """Load the current release if there is one (failures are logged), then keep looking."""
        self.refresh()
        self._follower.open()
        return self

    def close(self) -> None:
        """Stop looking, and close everything once the requests in progress have ended."""
        self._follower.close()
        with self._refreshing:
            (_, loaded), self._state = self._state, ("", {})
            self._retire(*loaded.values())

    def reading(self) -> Reading:
        """A context manager for a request: what `get` returns inside is not closed before it is left."""
        return self._epochs.reading()

    @property
    def current(self) -> str:
        """Name of the current loaded release; empty if none is."""
        return self._state[0]

    def get(self, release: str = "") -> T:
        """What was loaded of `release`, or of the current one for "". Raises ReleaseNotLoaded."""
        current, loaded = self._state
        try:
            return loaded[release or current]
        except KeyError:
            if release:
                raise ReleaseNotLoaded(f"release {release[:200]!r} is not loaded here") from None
            raise ReleaseNotLoaded(self._why_not) from None

    def check_ready(self) -> None:
        """Raises ReleaseNotLoaded while no release is loaded: a readiness check."""
        self.get()

    def refresh(self) -> None:
        """Look at the name now and load what it names, if that is new. The poller does this by itself."""
        with self._refreshing:
            name = self._named()
            current, loaded = self._state
            if not name or name == current:
                return
            if name in loaded:  # rolled back to the one before
                self._swap(name, loaded[name])
                return
            broken, again_at = self._broken
            if name == broken and time.monotonic() < again_at:
                return
            self._load_release(name)

    def _load_release(self, name: str) -> None:
        started = time.monotonic()
        try:
            if not _NAME.fullmatch(name):
                raise ReleaseNotLoaded("not the name of a release")
            folder = self._dir / name
            if not folder.is_dir():
                raise ReleaseNotLoaded(f"there is no folder {name} in {self._dir}")
            loaded = self._load(folder)
            try:
                if self._warm is not None:
                    self._warm(loaded)
            except Exception:
                self._retire(loaded)
                raise
        except Exception as error:
            # Whatever a loader raises, the release that is loaded goes on serving.
            self._broken = (name, time.monotonic() + _RETRY_BROKEN_S)
            self._why_not = f"release {name[:200]!r} cannot be loaded: {error}"
            log.error("release_not_loaded", release=name, error=str(error), still=self.current)
            return
        self._swap(name, loaded)
        settle()
        log.info("release_loaded", release=name, seconds=round(time.monotonic() - started, 2))

    def _swap(self, name: str, loaded: T) -> None:
        current, before = self._state
        keep = {current: before[current]} if current else {}
        self._state = (name, {**keep, name: loaded})
        self._retire(*(old for known, old in before.items() if known not in self._state[1]))

    def _retire(self, *loaded: T) -> None:
        if self._close is not None:
            for one in loaded:
                self._epochs.retire(partial(self._close, one))

    def _named(self) -> str:
        """The name that should be current; what is, while nobody can say otherwise."""
        if self._redis is not None:
            try:
                with redis_errors():
                    value = self._redis.get(keys.RELEASE)
            except EcrsError:
                if self.current:
                    return self.current
            else:
                if isinstance(value, bytes) and value:
                    return value.decode("utf-8", "replace")
        try:
            return (self._dir / CURRENT_FILE).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return self.current
