"""Too many requests of one address are answered kindly, and the shop goes on for others."""

from __future__ import annotations

import pytest

from services.settings import Settings
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import memory_stores
from webapp import create_app

pytestmark = pytest.mark.unit


def test_after_many_guesses_an_address_has_to_wait(browser: Browser, other_browser: Browser) -> None:
    statuses = [browser.post("/signin", user_id="no-such-id", **{}).status_code for _ in range(31)]
    assert statuses == [404] * 30 + [429]
    response = browser.post("/signin", user_id="no-such-id")
    assert "One moment, please" in response.get_data(as_text=True)
    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert browser.get("/signin").status_code == 200
    elsewhere = other_browser.client.post(
        "/signin", data={"user_id": "no-such-id"}, headers={"X-Forwarded-For": "192.0.2.7"}
    )
    assert elsewhere.status_code == 400  # the CSRF token is missing, but nobody counts this address yet


def test_guesses_at_one_account_count_from_all_addresses(browser: Browser) -> None:
    page = browser.text("/signin")
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    statuses = [
        browser.client.post(
            "/signin/password",
            data={"csrf_token": token, "login": "ANN" if number % 2 else "ann", "password": ""},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        ).status_code
        for number in range(12)
    ]
    assert statuses == [403] * 10 + [429] * 2


def test_limits_can_be_switched_off(settings: Settings, services: FakeServices) -> None:
    off = settings.model_copy(update={"rate_limits": False})
    browser = Browser(create_app(off, services, "SimpleCache", memory_stores()).test_client())
    assert {browser.post("/signin", user_id="no-such-id").status_code for _ in range(35)} == {404}
