"""Calls of a page run side by side under one deadline."""

from __future__ import annotations

import time

import gevent
import pytest

from engine.errors import DeadlineExceeded, Unavailable
from webapp.together import Together

pytestmark = pytest.mark.unit


def test_calls_wait_side_by_side() -> None:
    together, order = Together(5), []

    def call(name: str, wait_s: float) -> str:
        gevent.sleep(wait_s)
        order.append(name)
        return name

    slow, quick = together.start(lambda: call("slow", 0.05)), together.start(lambda: call("quick", 0.01))
    assert (slow.get(), quick.get()) == ("slow", "quick")
    assert order == ["quick", "slow"]


def test_what_a_call_raises_is_raised_where_its_answer_is_needed() -> None:
    def failing() -> int:
        raise Unavailable("away")

    pending = Together(5).start(failing)
    with pytest.raises(Unavailable):
        pending.get()


def test_a_late_call_is_not_waited_for_and_ends_by_itself() -> None:
    together, ended = Together(0.02), []

    def late() -> int:
        gevent.sleep(0.1)
        ended.append("as it should")
        return 1

    pending = together.start(late)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        pending.get()
    assert time.monotonic() - began < 0.09
    gevent.sleep(0.15)
    assert ended == ["as it should"]
