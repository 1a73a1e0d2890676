"""Below the stand-ins: copies of a process, and a Redis that does not answer."""

from __future__ import annotations

import time

import pytest

from engine.errors import NotFound, Unavailable
from engine.types import Item
from tests.unit.webapp.fake_stores import FakeItems
from webapp import redis_health
from webapp.recent import Recent
from webapp.redis_health import RedisHealth
from webapp.stand_ins import StandIns

pytestmark = pytest.mark.unit

T = 1.0


def test_of_recent_values_the_last_used_are_kept_and_none_for_too_long() -> None:
    recent: Recent[str, int] = Recent(most=2, keep_s=60)
    for number, key in enumerate("abab"):
        recent.put(key, number)
    assert recent.get("a") == 2
    recent.put("c", 4)
    assert [recent.get(key) for key in "abc"] == [2, None, 4]
    assert len(recent) == 2
    old: Recent[str, int] = Recent(most=2, keep_s=-1)
    old.put("a", 1)
    assert (old.get("a"), len(old)) == (None, 0)


def test_a_copy_of_a_page_has_the_price_that_a_later_list_had() -> None:
    service = FakeItems({"1": Item("1", "Tea", price=2.0, description="Green")})
    stand_ins = StandIns(service, service, RedisHealth())
    stand_ins.item("1", T)
    stand_ins.remember([Item("1", "Tea", price=4.0)])
    service.fail = Unavailable("away")
    assert stand_ins.item("1", T) == Item("1", "Tea", price=4.0, description="Green")


def test_a_redis_that_does_not_answer_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_health, "PROBE_S", 0.05)
    health, asked = RedisHealth(), 0

    def ask(error: BaseException | None) -> None:
        nonlocal asked
        with health.asking():
            asked += 1
            if error is not None:
                raise error

    for _ in range(5):
        with pytest.raises((TimeoutError, Unavailable)):
            ask(TimeoutError("hangs"))
    assert asked == 2
    time.sleep(0.06)
    with pytest.raises(KeyboardInterrupt):
        ask(KeyboardInterrupt())  # the probe was given up: the next may ask
    ask(None)
    ask(None)
    assert asked == 5


def test_while_the_service_is_away_the_row_in_redis_answers_as_it_is_now() -> None:
    service, stored = FakeItems(), FakeItems({"1": Item("1", "Tea", price=2.0)})
    stand_ins = StandIns(service, stored, RedisHealth())
    service.fail = Unavailable("away")
    assert stand_ins.item_now("1", T).price == 2.0
    stored.items["1"] = Item("1", "Tea", price=3.0)
    assert stand_ins.item_now("1", T).price == 3.0
    with pytest.raises(NotFound):
        stand_ins.item("2", T)
    stored.fail = Unavailable("away too")
    assert stand_ins.item("1", T).price == 3.0
    assert stand_ins.items(["1", "2"], T) == ([Item("1", "Tea", price=3.0)], [])
    with pytest.raises(Unavailable, match="away"):
        stand_ins.item_now("1", T)
