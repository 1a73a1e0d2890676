"""The parts of recall one by one: merging, vector search, the live set of what cannot be bought."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from engine.candidates import NamedItems
from engine.recall.index import IndexUnavailable
from engine.recall.merge import NEW_SHOPPER, Found, Quotas, merge, similar_quotas
from services.adapters.vector_search import GuardedSearch
from services.common.rpc.breaker import Breaker
from services.recall.availability import Availability
from tests.support.request_path import BrokenIndex

pytestmark = pytest.mark.unit

IDS = NamedItems(f"i{row}" for row in range(100))


def found(*rows: int) -> Found:
    return Found(np.array(rows, np.int64), np.linspace(1, 0.5, len(rows), dtype=np.float32))


def test_channels_take_turns_by_quota() -> None:
    quotas = Quotas(popular=0.2, new=0.1)
    merged = merge({"popular": found(*range(50)), "new": found(*range(50, 100))}, quotas, 30, IDS)
    names = [candidate.channels[0] for candidate in merged]
    assert names.count("popular") == 20
    assert names.count("new") == 10
    assert names[:3].count("new") == 1


def test_what_suits_the_profile_leads_a_new_shoppers_list() -> None:
    channels = {"two_tower": found(*range(60, 99)), "segment": found(*range(60)), "popular": found(50, 99)}
    merged = merge(channels, NEW_SHOPPER, 60, IDS)
    assert [candidate.item_id for candidate in merged[:40]] == [f"i{row}" for row in range(40)]
    assert {candidate.channels[0] for candidate in merged[40:]} == {"two_tower", "segment", "popular"}
    scores = [candidate.score for candidate in merged]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1


def test_a_channel_that_runs_out_leaves_its_turns_to_the_others() -> None:
    merged = merge({"bought_again": found(1, 2), "new": found(*range(10, 60))}, Quotas(), 40, IDS)
    assert len(merged) == 40


def test_an_item_of_two_channels_is_named_once_with_both() -> None:
    quotas = Quotas(popular=0.07, trending=0.05)
    merged = merge({"popular": found(1, 2, 3), "trending": found(9, 3)}, quotas, 10, IDS)
    assert sorted(candidate.item_id for candidate in merged) == ["i1", "i2", "i3", "i9"]
    both = next(candidate for candidate in merged if candidate.item_id == "i3")
    assert both.channels == ("trending", "popular")


def test_nothing_found_merges_to_nothing() -> None:
    assert len(merge({"popular": found()}, Quotas(), 10, IDS)) == 0


def vectors(count: int = 1_000, dim: int = 8) -> np.ndarray:
    raw = np.random.default_rng(3).standard_normal((count, dim)).astype(np.float32)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
def test_search_among_allowed_rows_is_what_exact_search_finds(share: float) -> None:
    held = vectors()
    search = GuardedSearch(BrokenIndex(held), held, 5_000, Breaker())
    allowed = np.random.default_rng(1).random(len(held)) < share
    allowed[0] = True
    rows, scores, failed = search.nearest(held[3], 50, allowed, 1.0)
    inner = np.where(allowed, held @ held[3], -2)
    expected = np.argsort(-inner, kind="stable")[: min(50, allowed.sum())]
    assert rows.tolist() == expected.tolist()
    assert scores.tolist() == pytest.approx(inner[expected].tolist())
    assert not failed


def test_nothing_allowed_gives_nothing() -> None:
    held = vectors(10)
    rows, scores, failed = GuardedSearch(BrokenIndex(held), held, 100, Breaker()).nearest(
        held[0], 5, np.zeros(10, np.bool_), 1.0
    )
    assert (len(rows), len(scores), failed) == (0, 0, False)


def test_an_index_that_comes_back_is_used_again() -> None:
    now = [0.0]
    held = vectors()
    index = BrokenIndex(held)
    search = GuardedSearch(index, held, 5_000, Breaker(failures=1, probe_s=1.0, clock=lambda: now[0]))
    index.error = IndexUnavailable("down for the test")
    assert search.nearest(held[0], 5, None, 1.0)[2]
    index.error = None
    assert search.nearest(held[0], 5, None, 1.0)[2], "not tried again yet"
    now[0] = 1.5
    assert not search.nearest(held[0], 5, None, 1.0)[2]


def test_the_last_good_set_stays_while_the_store_is_away() -> None:
    answers: list[set[str] | Exception] = [{"i1"}, ConnectionError("away"), {"i2"}, {"i2"}]

    def read() -> set[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    availability = Availability(read)
    assert availability.current.ids is None
    availability.refresh()
    first = availability.current
    assert first.ids == {"i1"}
    availability.refresh()
    assert availability.current == first
    availability.refresh()
    second = availability.current
    assert second.ids == {"i2"}
    assert second.version > first.version
    availability.refresh()
    assert availability.current == second, "an unchanged set keeps its version"


def test_the_set_is_read_again_in_the_background() -> None:
    twice = threading.Event()
    reads: list[int] = []

    def read() -> list[str]:
        reads.append(1)
        if len(reads) > 1:
            twice.set()
        return []

    availability = Availability(read, refresh_s=0.01)
    availability.open()
    assert twice.wait(5)
    availability.close()


@pytest.mark.parametrize(
    ("confirmed", "share"),
    [(float("nan"), 4.0), (40.0, 4.0), (3.0, 2.0), (1.0, 0.25), (0.6, 0.25)],
)
def test_content_leads_similar_items_as_far_as_purchases_confirm_it(confirmed: float, share: float) -> None:
    quotas = similar_quotas(confirmed)

    assert quotas.content == pytest.approx(share * quotas.two_tower)
