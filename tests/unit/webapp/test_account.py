"""Signing in, out, and registering."""

from __future__ import annotations

import time

import pytest

from engine.errors import Unavailable
from engine.types import UserProfile
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices

pytestmark = pytest.mark.unit


def test_demo_households_are_listed_with_their_profile_in_pages(browser: Browser) -> None:
    first, second = browser.text("/signin"), browser.text("/signin?page=24")
    assert 'value="1"' in first
    assert '<span class="label">Age</span> 25-34' in first
    assert "Nothing known but what they bought" in first
    assert "/signin?page=24" in first
    assert first.index('value="5"') < first.index('value="4"')  # with a profile before without
    assert 'value="25"' in second
    assert 'value="1">' not in second


def test_shoppers_who_came_by_form_are_not_on_the_list(browser: Browser, services: FakeServices) -> None:
    services.user.profiles = {"new-1": UserProfile("new-1"), "9": UserProfile("9")}
    page = browser.text("/signin")
    assert "new-1" not in page
    assert 'value="9"' in page


def test_the_list_is_shared_between_visitors(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    browser.get("/signin")
    other_browser.get("/signin")
    assert services.user.listed == 1


def test_a_page_token_of_somebody_else_is_a_400(browser: Browser) -> None:
    assert browser.get("/signin?page=nonsense").status_code == 400
    assert browser.get("/signin?page=" + "9" * 600).status_code == 400


def test_signing_in_shows_the_households_own_page(browser: Browser) -> None:
    browser.sign_in(" 3 ")
    assert "Hello, household 3" in browser.text("/")


@pytest.mark.parametrize(
    ("user_id", "status"), [("12345", 404), ("", 400), ("x" * 300, 400), ("a\x00b", 400)]
)
def test_an_unknown_id_is_told_kindly(user_id: str, status: int, browser: Browser) -> None:
    response = browser.post("/signin", user_id=user_id)
    assert response.status_code == status
    assert "from the list" in response.get_data(as_text=True)
    assert "You are shopping anonymously" in browser.text("/")


def test_nothing_of_the_session_before_survives_signing_in(browser: Browser) -> None:
    browser.get("/")
    with browser.client.session_transaction() as session:
        session["planted"] = "by an attacker"
        old = dict(session)
    browser.sign_in("3")
    with browser.client.session_transaction() as session:
        assert session["user_id"] == "3"
        assert not set(session) & {"planted", "anonymous_id"}
        assert session.get("csrf_token") != old.get("csrf_token", "")


def test_signing_out_makes_a_new_anonymous_visitor(browser: Browser) -> None:
    browser.sign_in("3")
    response = browser.post("/signout")
    assert response.status_code == 303
    page = browser.text("/")
    assert "household 3" not in page
    assert "You are signed out." in page


def test_signing_out_is_not_a_link(browser: Browser) -> None:
    response = browser.get("/signout")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


def test_the_session_cookie_is_http_only_and_same_site(browser: Browser) -> None:
    cookie = browser.get("/").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_session_cookie_is_secure(browser: Browser) -> None:
    response = browser.get("/", **{"X-Forwarded-Proto": "https"})
    assert "Secure" in response.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/", "/categories", "/items/111", "/static/shop.css", "/static/none.css"])
def test_an_answer_that_arrives_after_signing_in_leaves_the_new_session(path: str, browser: Browser) -> None:
    browser.get("/")
    assert "Set-Cookie" not in browser.get(path).headers


def test_a_session_that_is_used_does_not_end(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.sign_in("3")
    browser.get("/")  # shows and forgets what signing in had to say
    assert "Set-Cookie" not in browser.get("/").headers
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert "Set-Cookie" not in browser.get("/static/shop.css").headers
    assert "ecrs_session" in browser.get("/").headers["Set-Cookie"]
    assert "household 3" in browser.text("/")
    assert "Set-Cookie" not in browser.get("/").headers


def test_the_form_is_built_from_the_datasets_features(browser: Browser) -> None:
    page = browser.text("/register")
    for expected in ("Age", "Income", "Children", '<option value="45-54">', "I would rather not say"):
        assert expected in page


def test_a_new_shopper_is_stored_signed_in_and_gets_a_list(browser: Browser, services: FakeServices) -> None:
    response = browser.post("/register", feature_age="45-54", feature_income="")
    assert response.status_code == 303
    (new,) = [user for user_id, user in services.user.profiles.items() if user_id.startswith("new-")]
    assert dict(new.attributes) == {"age": "45-54"}
    page = browser.text("/")
    assert "Welcome, new shopper" in page
    assert "<dt>Age</dt><dd>45-54</dd>" in page
    assert len(browser.cards()) == 24


def test_a_value_the_form_does_not_offer_is_refused(browser: Browser, services: FakeServices) -> None:
    response = browser.post("/register", feature_age="<b>200</b>")
    assert response.status_code == 400
    assert "Not a valid choice" in response.get_data(as_text=True)
    assert not [user_id for user_id in services.user.profiles if user_id.startswith("new-")]


def test_registering_while_the_service_is_away_asks_to_try_again(
    browser: Browser, services: FakeServices
) -> None:
    browser.get("/signin")
    services.user.fail = Unavailable("user")
    response = browser.post("/register", feature_age="45-54")
    assert response.status_code == 503
    assert "You are shopping anonymously" in browser.text("/")
