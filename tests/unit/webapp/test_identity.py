"""Accounts with passwords, what comes along at sign-in, and what nobody gets away with."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Unavailable
from services.settings import Settings
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import memory_stores
from webapp import create_app
from webapp.passwords import NOBODYS_HASH, fits, hash_password, is_weak, normal_login
from webapp.stores import Stores

pytestmark = pytest.mark.unit

PASSWORD = "correct horse battery"


def register(browser: Browser, login: str = "ann@shop.test", password: str = PASSWORD) -> int:
    """The status of the answer: 303 when it worked."""
    form = {"login": login, "password": password, "password_again": password}
    return browser.post("/register", feature_age="45-54", **form).status_code


def look(browser: Browser, item_id: str) -> None:
    """Open a product's page out of a list."""
    browser.get("/")
    browser.get(f"/items/{item_id}?token=t")


def new_ids(services: FakeServices) -> list[str]:
    return [user_id for user_id in services.user.profiles if user_id.startswith("new-")]


def test_whoever_registers_with_a_password_can_come_back(
    browser: Browser, other_browser: Browser, services: FakeServices, stores: Stores
) -> None:
    assert register(browser) == 303
    browser.post("/cart/add", item_id="111")
    response = other_browser.post("/signin/password", login=" ANN@shop.test ", password=PASSWORD)
    assert response.status_code == 303
    assert "Bananas" in other_browser.text("/cart")
    assert "You sign in as ann@shop.test." in other_browser.text("/profile")
    account = stores.accounts.get("ann@shop.test")
    assert account is not None
    assert account.user_id == new_ids(services)[0]
    assert account.password_hash.startswith("scrypt:32768:8:1$")
    assert PASSWORD not in account.password_hash


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(browser: Browser) -> None:
    register(browser)
    browser.post("/signout")
    pages = []
    for login, password in (("ann@shop.test", "wrong password"), ("nobody", PASSWORD)):
        response = browser.post("/signin/password", login=login, password=password)
        assert response.status_code == 403
        pages.append(response.get_data(as_text=True).split('role="alert"')[1].split("</p>")[0])
    assert pages[0] == pages[1]
    assert "shopping anonymously" in browser.text("/profile")


def test_an_unknown_name_costs_the_same_work_as_a_wrong_password() -> None:
    method, _, _ = hash_password(PASSWORD).partition("$")

    # A name nobody has is checked against a hash of the same method and cost, and never fits.
    assert NOBODYS_HASH.startswith(method + "$")
    assert not fits("wrong password", hash_password(PASSWORD))
    assert not fits("wrong password", None)


def test_a_hash_fits_its_password_only() -> None:
    assert fits(PASSWORD, hash_password(PASSWORD))
    assert not fits(PASSWORD + " ", hash_password(PASSWORD))
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


def test_login_names_are_one_however_they_are_typed() -> None:
    assert normal_login(" \uff21nn@Shop.Test") == "ann@shop.test"


@pytest.mark.parametrize("password", ["aaaaaaaaaaaa", "abababababab", "annannannann", "Ann@shop.test1"])
def test_easy_passwords_are_weak(password: str) -> None:
    assert is_weak(password, "ann@shop.test")
    assert not is_weak(PASSWORD, "ann@shop.test")
    assert not is_weak("a bee stings", "a@b.test")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"login": "ann", "password": "short", "password_again": "short"}, "10 to 128 characters"),
        ({"login": "ann", "password": PASSWORD, "password_again": "x"}, "not the same"),
        ({"login": "ann"}, "needs a password"),
        ({"password": PASSWORD, "password_again": PASSWORD}, "needs a name"),
        ({"login": "a b", "password": PASSWORD, "password_again": PASSWORD}, "3 to 64 letters"),
        ({"login": "ann", "password": "x" * 129, "password_again": "x" * 129}, "10 to 128 characters"),
        ({"login": "ann", "password": "a" * 12, "password_again": "a" * 12}, "Please choose another"),
    ],
)
def test_what_is_wrong_with_a_new_account_is_said(
    form: dict[str, str], said: str, browser: Browser, services: FakeServices
) -> None:
    response = browser.post("/register", **form)
    assert response.status_code == 400
    assert said in response.get_data(as_text=True)
    assert new_ids(services) == []


def test_a_name_that_is_taken_and_an_easy_password_get_the_same_answer(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    register(browser)
    assert register(other_browser, password="another good one") == 400
    assert len(new_ids(services)) == 1
    assert other_browser.post("/signin/password", login="ann@shop.test", password="another good one")
    assert "shopping anonymously" in other_browser.text("/profile")


def test_nobody_signs_in_by_the_id_of_a_newcomer_or_visitor(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    register(browser)
    (user_id,) = new_ids(services)
    assert other_browser.post("/signin", user_id=user_id).status_code == 404
    assert other_browser.post("/signin", user_id="anon-1").status_code == 404


def test_a_visit_comes_along_once_at_sign_in(browser: Browser, services: FakeServices) -> None:
    look(browser, "111")
    browser.post("/cart/add", item_id="112")
    visitor = services.user.events[0].user_id
    at = services.user.events[0].at_ms
    browser.sign_in("3")
    assert [(one.item_id, one.type) for one in services.user.of("3")] == [("112", "cart"), ("111", "click")]
    assert services.user.of("3")[1].at_ms == at
    assert all(one.event_id for one in services.user.of("3"))
    assert services.user.of(visitor) == []
    assert "Mangoes" in browser.text("/cart")
    assert "Because you chose Mangoes" in browser.text("/")


def test_the_cart_of_a_visit_joins_the_shoppers_own(browser: Browser, stores: Stores) -> None:
    browser.sign_in("3")
    browser.post("/cart/add", item_id="111", quantity="1")
    browser.post("/signout")
    browser.post("/cart/add", item_id="111", quantity="3")
    browser.post("/cart/add", item_id="112", quantity="1")
    browser.sign_in("3")
    assert [(line.item_id, line.quantity) for line in stores.carts.get("3").lines] == [("111", 3), ("112", 1)]


def test_one_household_takes_nothing_to_the_next(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    browser.post("/cart/add", item_id="111")
    browser.sign_in("4")
    assert services.user.of("4") == []
    assert "Your cart is empty." in browser.text("/cart")


def test_a_visit_that_cannot_be_brought_along_does_not_keep_anybody_out(
    browser: Browser, services: FakeServices, stores: Stores
) -> None:
    look(browser, "111")
    browser.post("/signin/password", login="x", password="y")  # makes sure that the page is known
    stores.carts.down = True  # type: ignore[attr-defined]  # they are MemoryCarts
    assert browser.post("/signin", user_id="3").status_code == 303
    stores.carts.down = False  # type: ignore[attr-defined]
    assert "could not be brought along" in browser.text("/signin")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil.example"]
)
def test_signing_in_never_leads_away(target: str, browser: Browser) -> None:
    assert browser.post("/signin", user_id="3", next=target).location == "/"
    assert 'name="next"' not in browser.text(f"/signin?next={target}")


def test_signing_in_leads_back_to_where_one_was(browser: Browser) -> None:
    assert 'name="next" value="/checkout"' in browser.text("/signin?next=/checkout")
    assert browser.post("/signin", user_id="3", next="/checkout").location == "/checkout"


def test_without_demo_shoppers_nobody_signs_in_without_a_password(
    tmp_path: Path, services: FakeServices, settings: Settings
) -> None:
    closed = settings.model_copy(update={"bind": "192.0.2.1"})
    browser = Browser(create_app(closed, services, "SimpleCache", memory_stores()).test_client())
    page = browser.text("/signin")
    assert "Your own account" in page
    assert "demo household" not in page
    assert browser.post("/signin", user_id="3").status_code == 403
    assert register(browser) == 303


@pytest.mark.parametrize(
    ("bind", "asked", "allowed"),
    [
        ("127.0.0.1", "auto", True),
        ("localhost", "auto", True),
        ("192.0.2.1", "auto", False),
        ("192.0.2.1", "on", True),
        ("127.0.0.1", "off", False),
    ],
)
def test_demo_shoppers_are_for_loopback_unless_told_otherwise(bind: str, asked: str, allowed: bool) -> None:
    assert Settings(bind=bind, demo_personas=asked).allow_demo_personas() is allowed


def test_personas_say_what_they_mostly_buy(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    browser.post("/cart/add", item_id="111")
    page = browser.text("/checkout")
    form = {
        name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("cart_id", "fingerprint")
    }
    browser.post("/checkout", **form)
    other = Browser(create_app(_settings(browser), services, "SimpleCache", memory_stores()).test_client())
    assert '<span class="label">Mostly buys</span> Tropical Fruit' in other.text("/signin")


def test_personas_are_there_without_histories(browser: Browser, services: FakeServices) -> None:
    services.item.fail = Unavailable("item")
    assert 'value="1"' in browser.text("/signin")


def _settings(browser: Browser) -> Settings:
    """Those of nowhere: a second front end with an empty cache of its own."""
    folder = Path(browser.client.application.root_path)
    return Settings(state_dir=folder.parent / "var", prepared_dir=folder, redis_url="redis://127.0.0.1:1/0")
