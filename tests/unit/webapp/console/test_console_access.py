"""Who may enter the console."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from services.settings import Settings
from tests.unit.webapp.console.conftest import PASSWORD, app_of
from tests.unit.webapp.console.world import World, make_world

pytestmark = pytest.mark.unit

PAGES = ("", "flow", "user", "items", "recall", "rank", "similar", "live")


def browser(settings: Settings, bind: str = "127.0.0.1", password: str = "") -> FlaskClient:
    return app_of(settings, make_world(), bind=bind, console_password=SecretStr(password)).test_client()


def enter(client: FlaskClient, password: str, path: str = "/console/login", **form: str) -> TestResponse:
    page = client.get("/console/login").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    return client.post(path, data={"csrf_token": token[1], "password": password, **form})


@pytest.mark.parametrize("page", PAGES)
def test_on_loopback_every_page_is_open(client: FlaskClient, page: str) -> None:
    assert client.get(f"/console/{page}").status_code == 200


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "::1"])
def test_any_name_of_loopback_will_do(console_settings: Settings, bind: str) -> None:
    assert browser(console_settings, bind).get("/console/flow").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_without_a_password_everybody_else_is_told_why_not(console_settings: Settings, page: str) -> None:
    answer = browser(console_settings, bind="0.0.0.0").get(f"/console/{page}")  # noqa: S104
    assert answer.status_code == 403
    assert "ECRS_CONSOLE_PASSWORD" in answer.get_data(as_text=True)


def test_behind_nginx_the_visitor_counts_and_not_nginx(client: FlaskClient) -> None:
    answer = client.get("/console/flow", headers={"X-Forwarded-For": "203.0.113.5"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1, 203.0.113.5"},  # a proxy that appends to what the visitor claimed
        {"X-Forwarded-For": "203.0.113.5, 127.0.0.1"},  # two proxies on this machine
        {"X-Forwarded-For": "not an address"},
        {"X-Real-IP": "203.0.113.5"},
        {"Forwarded": "for=203.0.113.5"},
        {"Via": "1.1 somewhere"},
        {"X-Forwarded-Host": "shop.example"},
        {"Host": "shop.example"},  # a proxy that says nothing, or a name led to loopback
        {"Host": "127.0.0.1.example.com"},
    ],
)
def test_whatever_names_another_machine_closes_the_door(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/console/flow", headers=headers).status_code == 403


def test_through_our_own_nginx_on_loopback_it_is_open(client: FlaskClient) -> None:
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Host": "127.0.0.1:5158"}
    assert client.get("/console/flow", headers=headers).status_code == 200


def test_a_claim_to_be_local_helps_nobody_where_the_network_is_served(console_settings: Settings) -> None:
    outside = browser(console_settings, bind="0.0.0.0")  # noqa: S104
    headers = {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}
    assert outside.get("/console/flow", headers=headers).status_code == 403


def test_a_peer_elsewhere_that_claims_to_be_local_is_not(client: FlaskClient) -> None:
    answer = client.get(
        "/console/flow",
        headers={"X-Forwarded-For": "127.0.0.1"},
        environ_base={"REMOTE_ADDR": "203.0.113.5"},
    )
    assert answer.status_code == 403


def test_the_password_opens_the_page_that_was_asked_for(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    turned = outside.get("/console/rank?user_id=1")
    assert turned.status_code == 303
    assert turned.headers["Location"] == "/console/login?next=/console/rank?user_id%3D1"
    answer = enter(outside, PASSWORD, next="/console/rank?user_id=1")
    assert answer.headers["Location"] == "/console/rank?user_id=1"
    cookie = answer.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/console"))
    assert PASSWORD not in cookie
    assert outside.get("/console/rank?user_id=1").status_code == 200


def test_over_https_the_cookie_is_for_https_only(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    page = outside.get("/console/login", base_url="https://shop.example").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    answer = outside.post(
        "/console/login",
        data={"csrf_token": token[1], "password": PASSWORD},
        base_url="https://shop.example",
        headers={"Referer": "https://shop.example/console/login"},
    )
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_wrong_password_is_refused(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    for wrong in ("", "correct horse batterz", "ÿ" * 20, "x" * 5000):
        answer = enter(outside, wrong)
        assert answer.status_code == 403
        assert "This is not the password." in answer.get_data(as_text=True)
    assert outside.get("/console/flow").status_code == 303


def test_too_many_tries_are_refused_even_the_right_one(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    assert [enter(outside, "wrong wrong wrong").status_code for _ in range(5)] == [403] * 5
    answer = enter(outside, PASSWORD)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"


def test_a_form_from_elsewhere_is_refused(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    assert outside.post("/console/login", data={"password": PASSWORD}).status_code == 400


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/", "/console\\evil", "/consolex"]
)
def test_afterwards_nobody_is_led_out_of_the_console(console_settings: Settings, target: str) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    assert enter(outside, PASSWORD, next=target).headers["Location"] == "/console/"


def test_signing_out_closes_the_door(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    enter(outside, PASSWORD)
    page = outside.get("/console/flow").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    assert outside.post("/console/logout", data={"csrf_token": token[1]}).status_code == 303
    assert outside.get("/console/flow").status_code == 303


def test_another_password_ends_what_the_old_one_opened(console_settings: Settings, world: World) -> None:
    before = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    enter(before, PASSWORD)
    held = before.get_cookie("ecrs_console", path="/console")
    assert held
    after = browser(console_settings, "0.0.0.0", "another password")  # noqa: S104
    after.set_cookie("ecrs_console", held.value, path="/console")
    assert after.get("/console/flow").status_code == 303


def test_a_cookie_of_our_own_making_opens_nothing(console_settings: Settings) -> None:
    outside = browser(console_settings, "0.0.0.0", PASSWORD)  # noqa: S104
    for forged in ("", "1", "eyJhIjoxfQ.Zz.abc", '"x".aaaa.bbbb'):
        outside.set_cookie("ecrs_console", forged, path="/console")
        assert outside.get("/console/flow").status_code == 303


def test_the_live_part_says_401_instead_of_leading_a_script_around(console_settings: Settings) -> None:
    assert browser(console_settings, "0.0.0.0", PASSWORD).get("/console/live").status_code == 401  # noqa: S104


def test_a_short_password_is_no_setting() -> None:
    with pytest.raises(ValueError, match="at least 12 characters"):
        Settings(console_password=SecretStr("short"))
