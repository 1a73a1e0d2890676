"""The console's pages over fakes: what they show, and what they say of bad input and missing parts."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from engine.errors import DeadlineExceeded, Unavailable
from tests.unit.webapp.console.world import World

pytestmark = pytest.mark.unit

LONG = "9" * 10_000


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    """The page, entities resolved; fails when it does not answer `status`."""
    answer = client.get(f"/console/{path}")
    assert answer.status_code == status
    return html.unescape(answer.get_data(as_text=True))


def column(page: str, number: int) -> list[str]:
    """A column of the page's (last) table that is sorted by links, tags taken out."""
    body = (
        page.rsplit('<section class="found"', maxsplit=1)[-1]
        .split("<tbody>")[1]
        .split("</tbody>", maxsplit=1)[0]
    )
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [re.sub(r"<[^>]+>", "", row[number]).strip() for row in cells]


def problem_at(page: str, field: str) -> str:
    found = re.search(rf'id="{field}-problem" role="alert">(.*?)</p>', page, re.DOTALL)
    assert found, f"nothing is said at {field}"
    assert re.search(rf'name="{field}"[^>]*aria-describedby="{field}-problem"', page)
    return found[1]


class TestFullFlow:
    def test_it_shows_the_list_of_a_stored_user_with_scores_channels_and_reasons(
        self, client: FlaskClient, world: World
    ) -> None:
        page = text(client, "flow?user_id=1&size=30&candidates=60")
        assert world.recommend.asked[-1].page_size == 30
        assert world.recommend.asked[-1].candidate_count == 60
        assert world.recommend.asked[-1].placement == "console"
        assert column(page, 0) == [str(place) for place in range(1, 26)]
        assert "two_tower" in page
        assert "Because you" in page
        for stage in ("user", "recall", "rank", "item"):
            assert f'<th scope="row">{stage}</th>' in page

    def test_a_new_user_comes_by_the_form_of_the_dataset(self, client: FlaskClient, world: World) -> None:
        page = text(client, "flow?user_id=&feature_age=25-34&feature_kids_count=2&session=101,102")
        asked = world.recommend.asked[-1]
        assert asked.user_id == ""
        assert asked.profile == {"age": "25-34", "kids_count": "2"}
        assert asked.session_item_ids == ("101", "102")
        assert "<option selected>25-34</option>" in page
        assert "/console/recall?session=101,102&feature_age=25-34&feature_kids_count=2" in page.replace(
            "%2C", ","
        )

    def test_only_ticked_channels_are_asked(self, client: FlaskClient, world: World) -> None:
        page = text(client, "flow?user_id=1&channels=new&channels=two_tower")
        assert world.recommend.asked[-1].channels == ("two_tower", "new")
        assert 'value="new" checked' in page

    def test_an_unknown_user_is_told_at_the_field_and_the_list_is_shown(self, client: FlaskClient) -> None:
        page = text(client, "flow?user_id=nobody", 404)
        assert "nobody" in problem_at(page, "user_id")
        assert column(page, 0)

    def test_nothing_typed_asks_nobody(self, client: FlaskClient, world: World) -> None:
        text(client, "flow")
        assert world.recommend.asked == []
        assert "fill in the form" in problem_at(text(client, "flow?user_id=", 400), "user_id")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("user_id", LONG),
            ("user_id", "a%00b"),
            ("user_id", "%F0%9F%92%A9" * 100),
            ("size", "0"),
            ("size", "101"),
            ("size", "-3"),
            ("size", "1e2"),
            ("size", "²"),
            ("size", LONG),
            ("candidates", "49"),
            ("session", ",".join(map(str, range(51)))),
            ("session", LONG),
            ("feature_age", "x" * 101),
        ],
    )
    def test_bad_input_is_told_at_its_field(
        self, client: FlaskClient, world: World, field: str, value: str
    ) -> None:
        user = "" if field == "user_id" else "user_id=1&"
        page = text(client, f"flow?{user}{field}={value}", 400)
        said = problem_at(page, field)
        assert 0 < len(said) < 300
        assert world.recommend.asked == []

    def test_a_channel_that_does_not_exist_is_told(self, client: FlaskClient) -> None:
        assert "“magic” is not one of these" in text(client, "flow?user_id=1&channels=magic", 400)

    def test_markup_that_was_typed_is_shown_and_does_nothing(self, client: FlaskClient) -> None:
        raw = client.get("/console/flow?user_id=<script>alert(1)</script>").get_data(as_text=True)
        assert "<script>alert" not in raw

    def test_a_service_that_is_away_is_named(self, client: FlaskClient, world: World) -> None:
        world.recommend.fail = Unavailable("recommend does not answer")
        assert "<strong>recommend.Recommend</strong> recommend does not answer" in text(
            client, "flow?user_id=1"
        )


class TestTables:
    def test_headers_sort_numbers_from_the_largest_and_turn(self, client: FlaskClient) -> None:
        page = text(client, "flow?user_id=1&size=30")
        by_price = re.search(r'href="([^"]*found_sort=-price[^"]*)"', page)
        assert by_price
        assert "user_id=1" in by_price[1]
        sorted_page = text(client, by_price[1].removeprefix("/console/").split("#")[0])
        prices = [float(price) for price in column(sorted_page, 8)]
        assert prices == sorted(prices, reverse=True)
        assert 'aria-sort="descending"' in sorted_page
        again = text(client, "flow?user_id=1&size=30&found_sort=price")
        prices = [float(price) for price in column(again, 8)]
        assert prices == sorted(prices)

    def test_pages_follow_one_another(self, client: FlaskClient) -> None:
        assert column(text(client, "flow?user_id=1&size=60&found_page=3"), 0) == [
            str(n) for n in range(51, 61)
        ]
        assert 'aria-current="page">3<' in text(client, "flow?user_id=1&size=60&found_page=3")

    @pytest.mark.parametrize("wrong", ["0", "-1", "99999999999", "x", "", "²"])
    def test_a_page_that_does_not_exist_is_another_one(self, client: FlaskClient, wrong: str) -> None:
        assert column(text(client, f"flow?user_id=1&size=60&found_page={wrong}"), 0)

    def test_an_order_that_does_not_exist_is_the_list_as_it_came(self, client: FlaskClient) -> None:
        assert column(text(client, "flow?user_id=1&found_sort=__class__"), 0)[:2] == ["1", "2"]

    def test_ids_sort_as_numbers_and_unknown_values_last(self, client: FlaskClient, world: World) -> None:
        world.item.items["9"] = world.item.items.pop("101")
        world.item.items["9"] = replace(world.item.items["9"], item_id="9", price=None)
        assert column(text(client, "items?ids=102,9,103&items_sort=item"), 0) == ["9", "102", "103"]
        for order in ("price", "-price"):
            assert column(text(client, f"items?ids=102,9,103&items_sort={order}"), 0)[-1] == "9"


class TestLookUps:
    def test_a_user_s_profile_and_newest_events(self, client: FlaskClient) -> None:
        page = text(client, "user?user_id=1")
        assert "19-24" in page
        assert "Age <code>age</code>" in page
        assert column(page, 2)[:2] == ["140", "139"]
        assert "1–25 of 40" in page
        assert column(text(client, "user?user_id=1&events_page=2"), 2)[-1] == "101"

    def test_a_visitor_without_a_profile_has_events(self, client: FlaskClient, world: World) -> None:
        del world.user.profiles["1"]
        page = text(client, "user?user_id=1")
        assert "Nothing is known but events." in page
        assert column(page, 2)

    def test_an_unknown_user_is_told_at_the_field(self, client: FlaskClient) -> None:
        assert "“nobody” is stored" in problem_at(text(client, "user?user_id=nobody", 404), "user_id")
        assert "10000 bytes" in problem_at(text(client, f"user?user_id={LONG}", 400), "user_id")

    def test_a_user_service_that_is_away_is_named(self, client: FlaskClient, world: World) -> None:
        world.user.fail = DeadlineExceeded("user did not answer in the time given")
        page = text(client, "user?user_id=1")
        assert "<strong>user.GetUser</strong> user did not answer" in page
        assert 'id="user_id-problem"' not in page

    def test_titles_that_cannot_be_read_leave_the_ids(self, client: FlaskClient, world: World) -> None:
        world.item.fail = Unavailable("item does not answer")
        page = text(client, "user?user_id=1")
        assert "<strong>item.BatchGetItems</strong>" in page
        assert column(page, 3)[0] == "–"

    def test_several_items_between_commas_blanks_and_lines(self, client: FlaskClient) -> None:
        page = text(client, "items?ids=103,101%0A102 101")
        assert column(page, 0) == ["103", "101", "102"]
        assert "package_size=" in page

    def test_items_that_are_not_stored_are_named(self, client: FlaskClient) -> None:
        page = text(client, "items?ids=101,999")
        assert problem_at(page.replace("<textarea", "<textarea "), "ids") == "Not stored: 999."
        text(client, "items?ids=999", 404)

    def test_too_many_and_too_long_ids_are_told(self, client: FlaskClient) -> None:
        many = ",".join(map(str, range(101)))
        assert "101 ids; at most 100" in text(client, f"items?ids={many}", 400)
        assert "cannot be an id" in text(client, f"items?ids={LONG}", 400)


class TestRecall:
    def test_merged_with_provenance_and_what_each_channel_gave(self, client: FlaskClient) -> None:
        page = text(client, "recall?user_id=1")
        assert column(page, 1)[0] == "101"
        assert "1–25 of 57" in page
        assert column(page, 6)[0] == "Corn Flakes"  # the title of the item that led there
        assert "<b>no index</b>" not in client.get("/console/recall?user_id=1").get_data(as_text=True)
        assert "INDEX" in page
        assert page.count("recall.RecallItems") == 8

    def test_one_channel_by_itself(self, client: FlaskClient) -> None:
        page = text(client, "recall?user_id=1&view=segment")
        assert len(column(page, 1)) == 9
        assert "age=25-34" in column(page, 6)
        assert re.search(r'view=segment[^"]*" aria-current="true"', page)

    def test_a_new_user_and_a_session_reach_recall(self, client: FlaskClient, world: World) -> None:
        text(client, "recall?feature_age=25-34&session=105,104")
        context = world.recall.asked[0]
        assert context.profile == {"age": "25-34"}
        assert [(one.item_id, one.type) for one in context.events] == [("105", "click"), ("104", "click")]
        assert all(one.at < context.now for one in context.events)

    def test_features_override_what_is_stored(self, client: FlaskClient, world: World) -> None:
        text(client, "recall?user_id=1&feature_age=45-54")
        assert world.recall.asked[0].profile["age"] == "45-54"
        assert world.recall.asked[0].profile["income"] == "Under 15K"

    def test_recall_that_is_away_is_named_once(self, client: FlaskClient, world: World) -> None:
        world.recall.fail = Unavailable("recall does not answer")
        assert text(client, "recall?user_id=1").count("recall does not answer") == 1

    @pytest.mark.parametrize("query", ["user_id=1&top_k=1001", "user_id=1&view=magic", f"user_id={LONG}"])
    def test_bad_input_is_told(self, client: FlaskClient, query: str) -> None:
        assert 'role="alert"' in text(client, f"recall?{query}", 400)


class TestRank:
    def test_scores_best_first_with_what_moved_them(self, client: FlaskClient) -> None:
        page = text(client, "rank?user_id=1&ids=101,103,102")
        assert column(page, 1) == ["103", "102", "101"]
        assert "times bought" in page
        assert "+1.250" in page
        assert "-0.400" in page
        assert "1 more" in page
        assert "<25-34>" not in client.get("/console/rank?user_id=1&ids=101").get_data(as_text=True)

    def test_without_items_recall_s_best_are_ranked(self, client: FlaskClient, world: World) -> None:
        page = text(client, "rank?user_id=1")
        assert "1–25 of 50" in page
        assert len(world.recall.asked) == 1

    def test_a_rank_service_that_cannot_explain_still_scores(self, client: FlaskClient, world: World) -> None:
        world.rank.explains = False
        page = text(client, "rank?user_id=1&ids=101,102,1000")
        assert column(page, 1) == ["102", "101"]
        assert "rank does not explain" in page
        assert "Not in this release: 1000." in page

    def test_a_rank_service_that_is_away_is_named(self, client: FlaskClient, world: World) -> None:
        world.rank.fail = Unavailable("rank does not answer")
        page = text(client, "rank?user_id=1&ids=101")
        assert "<strong>rank.RankItems</strong>" in page

    def test_more_than_fifty_are_too_many(self, client: FlaskClient) -> None:
        many = ",".join(map(str, range(101, 152)))
        assert "51 ids; at most 50" in text(client, f"rank?user_id=1&ids={many}", 400)


class TestSimilar:
    def test_items_like_one_by_channel(self, client: FlaskClient) -> None:
        page = text(client, "similar?item_id=101&top_k=10")
        assert column(page, 1) == [str(one) for one in range(110, 120)]
        assert set(column(text(client, "similar?item_id=101&channels=two_tower"), 5)) == {"two_tower"}

    def test_an_item_the_release_does_not_have_is_told_at_the_field(self, client: FlaskClient) -> None:
        page = text(client, "similar?item_id=555", 404)
        assert "555" in problem_at(page, "item_id")

    @pytest.mark.parametrize(
        "query", ["item_id=101&top_k=0", f"item_id={LONG}", "item_id=101&channels=popular"]
    )
    def test_bad_input_is_told(self, client: FlaskClient, query: str) -> None:
        assert 'role="alert"' in text(client, f"similar?{query}", 400)


def test_pages_are_in_the_language_asked_for(client: FlaskClient) -> None:
    assert '<html lang="zh-Hans">' in text(client, "flow?lang=zh")


def test_pages_load_own_files_only_and_carry_no_inline_script_or_style(client: FlaskClient) -> None:
    for path in ("", "flow?user_id=1", "recall?user_id=1", "rank?user_id=1", "user?user_id=1"):
        answer = client.get(f"/console/{path}")
        page = answer.get_data(as_text=True)
        assert "'unsafe" not in answer.headers["Content-Security-Policy"]
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", page)
        assert all(source.startswith("/static/") for source in re.findall(r'src="([^"]+)"', page))
        assert answer.headers["Cache-Control"] == "private, no-store"
