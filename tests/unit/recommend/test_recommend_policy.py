"""The order of the page: variety and the answer to the session; and the tokens that lists carry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.candidates import Candidate, Candidates
from engine.page import Policy, Scored, arrange, ranked
from services.recommend.attribution import Attribution, make_token, read_token

pytestmark = pytest.mark.unit

NONE = [False] * 40


def test_without_categories_and_session_the_order_is_the_score() -> None:
    assert arrange(Policy(), None, NONE, 5) == [0, 1, 2, 3, 4]


def test_a_profile_alone_lets_recalls_order_count() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.9], np.float32)

    def order(channel: str, has_events: bool) -> list[str]:
        candidates = Candidates.of(Candidate(f"i{place}", 1.0, (channel,)) for place in range(4))
        scored = Scored(candidates, scores, None, np.zeros(4, np.bool_))
        return ranked(Policy(profile_weight=1.0), scored, (), has_events).candidates.item_ids()

    assert order("segment", has_events=False) == ["i0", "i1", "i2", "i3"]
    assert order("segment", has_events=True) == ["i3", "i2", "i1", "i0"]
    assert order("popular", has_events=False) == ["i3", "i2", "i1", "i0"]


def test_one_category_does_not_fill_a_window() -> None:
    categories = [1] * 20 + [2] * 10 + [3] * 10
    page = arrange(Policy(window=10, same_category=4), categories, NONE, 20)
    shown = [categories[position] for position in page]
    for start in range(len(shown) - 10 + 1):
        assert max(map(shown[start : start + 10].count, (1, 2, 3))) <= 4
    assert page[:4] == [0, 1, 2, 3]


def test_variety_gives_way_when_nothing_else_is_left() -> None:
    assert arrange(Policy(), [1] * 40, NONE, 20) == list(range(20))


def test_items_of_unknown_category_are_not_limited() -> None:
    assert arrange(Policy(), [0] * 40, NONE, 20) == list(range(20))


def test_every_fifth_place_at_least_answers_the_session() -> None:
    session = [position >= 30 for position in range(40)]
    page = arrange(Policy(session_share=0.2), None, session, 20)
    assert page[:5] == [0, 1, 2, 3, 30]
    for length in range(1, 21):
        assert sum(session[position] for position in page[:length]) >= int(length * 0.2)


def test_what_the_ranker_put_up_for_the_session_anyway_counts() -> None:
    session = [position in (0, 1, 2, 3) for position in range(40)]
    assert arrange(Policy(), None, session, 20) == list(range(20))


def test_a_session_with_few_items_leaves_its_places_to_the_others() -> None:
    session = [position == 39 for position in range(40)]
    page = arrange(Policy(), None, session, 20)
    assert page == [0, 1, 2, 3, 39, *range(4, 19)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60),
    st.integers(1, 100),
)
def test_a_page_is_full_and_shows_nothing_twice(rows: list[tuple[int, bool]], size: int) -> None:
    page = arrange(Policy(), [row[0] for row in rows], [row[1] for row in rows], size)
    assert len(page) == len(set(page)) == min(size, len(rows))


def test_a_token_carries_release_placement_and_request() -> None:
    attribution = Attribution("completejourney-20260101T000000Z", "home", "a" * 32)
    token = make_token(attribution)
    assert read_token(token) == attribution
    assert len(make_token(Attribution("r" * 60, "p" * 64, "q" * 64))) <= 256
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "token", ["", "x", "ä", "!!!!", make_token(Attribution("", "", ""))[:-3], "MgphCmIKYw"]
)
def test_anything_else_is_not_a_token(token: str) -> None:
    with pytest.raises(ValueError, match="not an attribution token"):
        read_token(token)
