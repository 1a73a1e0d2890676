"""What is known of a shopper: shown, changed, deleted."""

from __future__ import annotations

import pytest

from engine.types import UserProfile
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from webapp.stores import Stores

pytestmark = pytest.mark.unit


def test_the_form_holds_what_is_known(browser: Browser) -> None:
    browser.sign_in("1")
    page = browser.text("/profile")
    assert '<option selected value="19-24">' in page
    assert "<dt>Age</dt><dd>19-24</dd>" in page


def test_a_change_is_stored_and_keeps_what_the_form_does_not_ask(
    browser: Browser, services: FakeServices
) -> None:
    services.user.profiles["1"] = UserProfile("1", {"age": "19-24", "income": "Under 15K", "odd": "kept"})
    browser.sign_in("1")
    assert browser.post("/profile", feature_age="45-54", feature_income="").status_code == 303
    assert dict(services.user.profiles["1"].attributes) == {"age": "45-54", "odd": "kept"}


def test_a_value_that_is_not_offered_changes_nothing(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("1")
    response = browser.post("/profile", feature_age="200")
    assert response.status_code == 400
    assert "Something is not right yet" in response.get_data(as_text=True)
    assert services.user.profiles["1"].attributes["age"] == "19-24"


def test_visitors_have_no_profile_to_change(browser: Browser) -> None:
    assert "shopping anonymously" in browser.text("/profile")
    assert browser.post("/profile", feature_age="45-54").status_code == 403


def test_deleting_needs_a_tick(browser: Browser, services: FakeServices) -> None:
    browser.post("/register", feature_age="45-54")
    response = browser.post("/profile/delete")
    assert response.status_code == 400
    assert "tick the box" in response.get_data(as_text=True)
    assert [user_id for user_id in services.user.profiles if user_id.startswith("new-")]


def test_deleting_forgets_everything_and_signs_out(
    browser: Browser, services: FakeServices, stores: Stores
) -> None:
    password = "correct horse battery"
    browser.post("/register", login="ann@shop.test", password=password, password_again=password)
    (user_id,) = [one for one in services.user.profiles if one.startswith("new-")]
    browser.post("/cart/add", item_id="111", token="t")
    assert browser.post("/profile/delete", sure="y").status_code == 303
    assert user_id not in services.user.profiles
    assert services.user.of(user_id) == []
    assert stores.carts.get(user_id).lines == ()
    assert stores.accounts.get("ann@shop.test") is None
    assert "is deleted" in browser.text("/")
    assert browser.post("/signin/password", login="ann@shop.test", password=password).status_code == 403


def test_a_visitor_can_have_the_visit_forgotten(browser: Browser, services: FakeServices) -> None:
    browser.post("/events", type="dislike", item_id="111", token="t")
    assert services.user.events
    assert browser.post("/profile/delete", sure="y").status_code == 303
    assert services.user.events == []


def test_a_demo_household_cannot_be_deleted_by_a_visitor(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("1")
    assert "cannot be deleted here" in browser.text("/profile/delete")
    assert browser.post("/profile/delete", sure="y").status_code == 403
    assert "1" in services.user.profiles
