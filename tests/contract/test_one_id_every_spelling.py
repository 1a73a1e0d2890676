"""Written as "5.0", read as "5", asked for as " 5 ": one id, in process and over gRPC."""

from __future__ import annotations

import pytest

from engine.errors import InvalidArgument, NotFound
from engine.types import Item, UserEvent, UserProfile
from services.common.ports import ItemPort, UserPort

pytestmark = pytest.mark.contract

T = 2.0
SPELLINGS = ("5", "5.0", " 5 ", "5.00")


@pytest.mark.parametrize("written", SPELLINGS)
def test_an_item_is_one_however_its_id_is_written(items: ItemPort, written: str) -> None:
    assert items.upsert_items([Item(written, title="Bear"), Item("6")], T) == 2
    for asked in SPELLINGS:
        assert items.get_item(asked, T).item_id == "5"
    found, missing = items.batch_get_items(["5.0", "7.0", " 5", "6"], T)
    assert ([item.item_id for item in found], missing) == (["5", "6"], ["7"])
    assert items.set_availability(["5.0", "8.0"], False, T) == (1, ["8"])
    assert items.get_item("5", T).available is False
    assert [item.item_id for item in items.list_items(10, "", T)[0]] == ["5", "6"]


def test_two_spellings_in_one_write_are_one_item(items: ItemPort) -> None:
    assert items.upsert_items([Item("5.0", title="old"), Item("5", title="new")], T) == 1
    assert items.get_item("5.0", T).title == "new"


@pytest.mark.parametrize("written", SPELLINGS)
def test_a_user_is_one_however_the_id_is_written(users: UserPort, written: str) -> None:
    users.upsert_users([UserProfile(written, {"age": "25-34"})], T)
    users.record_user_events([UserEvent("5.0", " 7.0", "view"), UserEvent(" 5 ", "8", "cart")], T)
    for asked in SPELLINGS:
        assert users.get_user(asked, T).user_id == "5"
        context = users.get_user_context(asked, 10, T).context
        assert context.user_id == "5"
        assert {event.item_id for event in context.events} == {"7", "8"}
        listed, _ = users.list_user_events(asked, 10, "", T)
        assert {(event.user_id, event.item_id) for event in listed} == {("5", "7"), ("5", "8")}
    found, missing = users.batch_get_users(["5.0", "9.0"], T)
    assert ([user.user_id for user in found], missing) == (["5"], ["9"])
    assert users.delete_user("5.0", T)
    with pytest.raises(NotFound):
        users.get_user("5", T)


@pytest.mark.parametrize("bad", ["nan", " NaN ", "null", "None", "\\N", "  "])
def test_what_prepare_takes_for_unknown_is_no_id(users: UserPort, items: ItemPort, bad: str) -> None:
    for call in (
        lambda: items.upsert_items([Item(bad)], T),
        lambda: items.get_item(bad, T),
        lambda: users.upsert_users([UserProfile(bad)], T),
        lambda: users.record_user_events([UserEvent("5", bad, "view")], T),
    ):
        with pytest.raises(InvalidArgument, match=r"user_id|item_id"):
            call()
