"""A client written from the original's tables alone, with all its callers' habits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.vocabulary import CHANNELS
from tests.support.original_contract import call
from tests.support.served import served

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """host:port of each service."""
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


def as_call(addresses: dict[str, str], **fields: Any) -> Any:
    return call(addresses["recommend"], "as_call", log_id="t", **fields)


def nids(response: Any) -> list[str]:
    assert (response.error.code, response.error.text) == (200, "")
    return [pair.nid for pair in response.score_pairs]


def test_as_call_with_only_a_user_id(addresses: dict[str, str]) -> None:
    response = as_call(addresses, user_id="5")
    assert (response.error.code, response.error.text) == (200, "")
    assert len(response.item_infos) == 50
    first = response.item_infos[0]
    assert first.sku_id
    assert first.cate.startswith("leaf")
    assert first.brand.startswith("brand")
    assert first.shopid == "shop"
    assert 0 < first.rank_score <= 1


@pytest.mark.parametrize("user_id", ["", "-1", "0"])
@pytest.mark.parametrize("inner_id", ["", "-1", "0"])
def test_as_call_with_only_demographics_gives_a_list_that_depends_on_them(
    addresses: dict[str, str], user_id: str, inner_id: str
) -> None:
    one, other = (
        as_call(addresses, user_id=user_id, user_info={"user_id": inner_id, "age": age, "sex": "1"})
        for age in ("1", "3")
    )
    assert one.error.code == other.error.code == 200
    lists = [[item.sku_id for item in response.item_infos] for response in (one, other)]
    assert len(lists[0]) == len(lists[1]) == 50
    assert lists[0] != lists[1]


def test_five_and_five_point_nought_are_the_same(addresses: dict[str, str]) -> None:
    plain = as_call(addresses, user_id="-1", user_info={"age": "2", "sex": "1"})
    dotted = as_call(addresses, user_id="-1", user_info={"age": "2.0", "sex": "1.0"})
    assert [item.sku_id for item in plain.item_infos] == [item.sku_id for item in dotted.item_infos]
    by_id = as_call(addresses, user_id="5.0")
    assert [item.sku_id for item in by_id.item_infos] == [
        item.sku_id for item in as_call(addresses, user_id="5").item_infos
    ]


def test_as_call_for_an_unknown_user_and_for_fields_the_data_lacks_gives_what_is_popular(
    addresses: dict[str, str],
) -> None:
    for fields in ({"user_id": "404"}, {"user_info": {"city": "9"}}, {"user_info": {}}, {"user_id": "-1"}):
        response = as_call(addresses, **fields)
        assert response.error.code == 200, fields
        assert len(response.item_infos) == 50


def test_as_call_says_what_is_wrong_in_the_body(addresses: dict[str, str]) -> None:
    nothing = as_call(addresses)
    assert (nothing.error.code, len(nothing.item_infos)) == (500, 0)
    assert "user_id" in nothing.error.text
    too_long = as_call(addresses, user_id="x" * 10_240)
    assert too_long.error.code == 500
    assert "10240 bytes" in too_long.error.text


def recall(addresses: dict[str, str], **fields: Any) -> Any:
    return call(addresses["recall"], "recall", log_id="t", **fields)


def test_recall_for_a_stored_user_knows_the_history(addresses: dict[str, str]) -> None:
    found = nids(recall(addresses, user_info={"user_id": "5"}, recall_type="bought_again"))
    assert set(found) == {"i5", "i17", "i29"}


def test_recall_gives_a_hundred_best_first_unless_told_otherwise(addresses: dict[str, str]) -> None:
    response = recall(addresses, user_info={"user_id": "5"})
    assert len(nids(response)) == 100
    scores = [pair.score for pair in response.score_pairs]
    assert scores == sorted(scores, reverse=True)
    assert len(nids(recall(addresses, user_info={"user_id": "5"}, request_num=7))) == 7


@pytest.mark.parametrize("channel", CHANNELS)
def test_recall_type_names_the_channel(addresses: dict[str, str], channel: str) -> None:
    assert nids(recall(addresses, user_info={"user_id": "5"}, recall_type=channel))


def test_recall_for_demographics_depends_on_them(addresses: dict[str, str]) -> None:
    one, other = (nids(recall(addresses, user_info={"user_id": "0", "age": age})) for age in ("1", "3"))
    assert one != other


def test_recall_says_what_is_wrong_in_the_body(addresses: dict[str, str]) -> None:
    for fields, problem in (
        ({"recall_type": "telepathy"}, "recall_type: 'telepathy' is none of two_tower"),
        ({"user_info": {"user_id": "x" * 10_240}}, "10240 bytes"),
    ):
        response = recall(addresses, **fields)
        assert response.error.code == 500
        assert problem in response.error.text
        assert not response.score_pairs


def rank(addresses: dict[str, str], user: dict[str, str], *item_ids: str) -> Any:
    items = [{"sku_id": item_id} for item_id in item_ids]
    return call(addresses["rank"], "rank_predict", log_id="t", user_info=user, item_infos=items)


def test_rank_orders_the_items_best_first(addresses: dict[str, str]) -> None:
    response = rank(addresses, {"user_id": "5"}, "i6", "i7", "i5", "i6")
    assert sorted(nids(response)) == ["i5", "i6", "i7"]
    assert nids(response)[0] == "i5", "what was bought before is best"
    scores = [pair.score for pair in response.score_pairs]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_rank_for_demographics_alone(addresses: dict[str, str]) -> None:
    assert len(nids(rank(addresses, {"user_id": "-1", "age": "2"}, "i1", "i2"))) == 2


def test_rank_leaves_out_and_names_items_it_does_not_know(addresses: dict[str, str]) -> None:
    response = rank(addresses, {"user_id": "5"}, "i6", "nope")
    assert response.error.code == 200
    assert "nope" in response.error.text
    assert [pair.nid for pair in response.score_pairs] == ["i6"]


def test_rank_says_what_is_wrong_in_the_body(addresses: dict[str, str]) -> None:
    for item_ids, problem in (
        ((), "item_infos: must not be empty"),
        (("nope",), "nope"),
        (("",), "item_infos"),
    ):
        response = rank(addresses, {"user_id": "5"}, *item_ids)
        assert response.error.code == 500
        assert problem in response.error.text
