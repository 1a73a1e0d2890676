"""Calls of a page run side by side under one deadline."""

from __future__ import annotations

import gevent
import pytest

from services.common.errors import DeadlineExceeded, Unavailable
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


def test_a_call_that_is_late_is_given_up() -> None:
    together, ended = Together(0.02), []

    def late() -> int:
        try:
            gevent.sleep(30)
        finally:
            ended.append(True)
        return 1

    pending = together.start(late)
    with pytest.raises(DeadlineExceeded):
        pending.get()
    gevent.sleep(0)
    assert ended == [True]
