"""Parts that hang for real: pages meanwhile, nothing stuck afterwards, and who hangs for good is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bench.hangs import System, hang, stopped
from scripts.supervision.parts import nginx_program
from services.settings import PORTS, Settings
from tests.support.shop import BACK_WITHIN_S, Shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PARTS = tuple(name for name in PORTS if name != "nginx" or nginx_program())


@pytest.fixture(scope="module")
def system(shop: Shop) -> System:
    """The shop as the benchmark of hangs sees it, well at the beginning."""
    made = System(Settings(_env_file=None, state_dir=shop.state_dir, port_offset=shop.offset))
    until(lambda: not made.problem())
    return made


@pytest.mark.parametrize("part", PARTS)
def test_a_hang_of_twelve_seconds_fails_no_page_and_is_over_when_it_is_over(
    system: System, part: str
) -> None:
    found = hang(system, part)

    assert found.well_after_s is not None, found.problem
    assert not found.restarted
    if part != "nginx":
        assert found.failed == []


def test_who_hangs_for_good_is_replaced_and_the_operator_sees_it(shop: Shop, system: System) -> None:
    hung = {name: system.pid(name) for name in ("recommend", "web1")}
    before = {name: row["hangs"] for name, row in shop.status().items()}

    with stopped(hung["recommend"]), stopped(hung["web1"]):
        until(lambda: all(system.pid(name) not in {pid, 0} for name, pid in hung.items()))
        until(lambda: not system.problem())

    rows = shop.status()
    assert {name for name, row in rows.items() if row["hangs"] > before[name]} == set(hung)
    assert "watchdog.killed" in (shop.state_dir / "log" / "watchdog.log").read_text()


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, for as long as a part may take to be back."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)
