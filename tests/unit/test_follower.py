"""Following something in the background: again and again, over failures, until it is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from engine.errors import Unavailable
from services.common.follower import Follower

pytestmark = pytest.mark.unit

SOON = 0.001
NEVER = 3600.0


class Source:
    """Raises what it is told, call by call; then nothing. `done` once all of it was asked for."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)
        self.names: list[str] = []
        self.done = threading.Event()

    def read(self) -> None:
        self.names.append(threading.current_thread().name)
        answer = self._answers.pop(0) if self._answers else None
        if not self._answers:
            self.done.set()
        if answer is not None:
            raise answer


def follow(source: Source, make: Callable[[Callable[[], None]], Follower]) -> list[str]:
    """The warnings of a follower that ran until the source was asked for everything."""
    follower = make(source.read)
    with capture_logs() as logs:
        follower.open()
        assert source.done.wait(5)
        follower.close()
    return [f"{entry['event']}: {entry['error']}, {entry['exc_info']}" for entry in logs]


def test_goes_on_over_failures_and_tells_the_first_of_each_row() -> None:
    away, bug = Unavailable("away"), KeyError("bug")
    source = Source(None, away, away, away, None, bug, bug, None)
    told = follow(source, lambda read: Follower("one", "not_read", read, SOON))
    assert told == ["not_read: away, False", "not_read: 'bug', True"]
    assert set(source.names) == {"one"}
    assert len(source.names) >= 8


def test_failures_have_a_wait_of_their_own() -> None:
    source = Source(Unavailable("away"), Unavailable("still"), None)
    told = follow(source, lambda read: Follower("one", "not_read", read, NEVER, retry_s=SOON))
    assert told == ["not_read: away, False"]
    assert len(source.names) == 3


def test_the_first_call_can_wait() -> None:
    source = Source()
    follower = Follower("one", "not_read", source.read, NEVER, at_once=False)
    follower.open()
    follower.close()
    assert source.names == []


def test_closing_ends_the_thread_and_tells_a_call_that_is_running() -> None:
    begun, ended = threading.Event(), threading.Event()

    def read() -> None:
        begun.set()
        assert follower.rest(NEVER)
        ended.set()

    follower = Follower("ends-when-closed", "not_read", read, SOON)
    follower.open()
    assert begun.wait(5)
    assert not follower.rest(0)
    follower.close()
    assert ended.is_set()
    assert "ends-when-closed" not in [thread.name for thread in threading.enumerate()]


def test_what_never_began_can_be_closed() -> None:
    Follower("one", "not_read", Source().read, NEVER).close()
