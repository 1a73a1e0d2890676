"""Around the pages: health, errors, request ids, headers."""

from __future__ import annotations

import pytest
from structlog.contextvars import get_contextvars

from engine.errors import EcrsError, ReleaseNotLoaded, Unavailable
from services.common.rpc import calls
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from webapp.errors import STATUS

pytestmark = pytest.mark.unit

JSON = {"Accept": "application/json"}


def test_alive_even_when_no_service_answers(browser: Browser, services: FakeServices) -> None:
    services.user.fail = services.item.fail = services.recommend.fail = Unavailable("away")
    response = browser.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_ready_when_all_services_answer(browser: Browser) -> None:
    response = browser.get("/readyz")
    assert response.status_code == 200
    assert response.get_json()["services"] == {"user": "ok", "item": "ok", "recommend": "ok"}


def test_not_ready_names_the_service_that_is_away(browser: Browser, services: FakeServices) -> None:
    services.item.fail = Unavailable("away")
    response = browser.get("/readyz")
    assert response.status_code == 503
    assert response.get_json()["services"] == {"user": "ok", "item": "Unavailable", "recommend": "ok"}


def test_services_that_answer_are_reached_whatever_they_lack(
    browser: Browser, services: FakeServices
) -> None:
    services.item.fail = ReleaseNotLoaded("not yet")
    services.user.fail = Unavailable("away")
    response = browser.get("/reachz")
    assert response.status_code == 503
    assert response.get_json()["services"] == {"user": "Unavailable", "item": "ok", "recommend": "ok"}
    services.user.fail = None
    assert browser.get("/reachz").status_code == 200


def test_health_checks_leave_no_session_behind(browser: Browser) -> None:
    assert "Set-Cookie" not in browser.get("/healthz").headers
    assert "Set-Cookie" not in browser.get("/readyz").headers
    assert "Set-Cookie" not in browser.get("/reachz").headers


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/signout", 405)])
def test_an_error_is_a_page_for_people_and_a_problem_for_programs(
    path: str, status: int, browser: Browser
) -> None:
    page, problem = browser.get(path), browser.get(path, **JSON)
    assert (page.status_code, problem.status_code) == (status, status)
    assert page.mimetype == "text/html"
    assert "To the home page" in page.get_data(as_text=True)
    assert problem.mimetype == "application/problem+json"
    assert problem.get_json()["status"] == status
    assert problem.get_json()["request_id"] == problem.headers["X-Request-ID"]


def test_a_form_that_is_too_large_is_refused(browser: Browser) -> None:
    assert browser.post("/signin", user_id="x" * 100_000).status_code == 413


class Bug(RuntimeError):
    """An error nobody foresaw."""


def test_an_unforeseen_error_is_a_page_without_internals(browser: Browser, services: FakeServices) -> None:
    def broken(item_id: str, timeout_s: float) -> None:
        raise Bug("password=hunter2")

    services.item.get_item = broken  # type: ignore[method-assign, assignment]
    response = browser.get("/items/111")
    page = response.get_data(as_text=True)
    assert response.status_code == 500
    assert "Our mistake" in page
    assert "hunter2" not in page
    assert "Traceback" not in page


def test_every_domain_error_has_a_status() -> None:
    assert set(STATUS) == set(EcrsError.__subclasses__())


def test_a_given_request_id_is_kept_and_passed_on(browser: Browser, services: FakeServices) -> None:
    seen: list[tuple[str, object]] = []
    answer = services.item.get_item

    def watching(item_id: str, timeout_s: float) -> object:
        seen.append((calls.request_id.get(), get_contextvars().get("request_id")))
        return answer(item_id, timeout_s)

    services.item.get_item = watching  # type: ignore[method-assign, assignment]
    response = browser.get("/items/111", **{"X-Request-ID": "from-nginx-1"})
    assert response.headers["X-Request-ID"] == "from-nginx-1"
    assert seen == [("from-nginx-1", "from-nginx-1")]


@pytest.mark.parametrize("given", ["", "x" * 200, "a b", "<script>"])
def test_a_request_id_unfit_for_a_log_line_is_replaced(given: str, browser: Browser) -> None:
    made = browser.get("/healthz", **{"X-Request-ID": given}).headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32


@pytest.mark.parametrize("path", ["/", "/items/111", "/signin", "/register", "/nowhere", "/healthz"])
def test_every_answer_has_a_strict_policy_and_security_headers(path: str, browser: Browser) -> None:
    headers = browser.get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/", "/items/111", "/signin", "/register", "/nowhere"])
def test_no_page_needs_inline_styles_scripts_or_another_site(path: str, browser: Browser) -> None:
    page = browser.text(path)
    for unwanted in (" style=", "<style", "<script", " onclick=", 'src="http', 'href="http', "url("):
        assert unwanted not in page


def test_static_files_may_be_kept_and_change_address_with_their_content(browser: Browser) -> None:
    page = browser.text("/")
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    response = browser.get(address)
    assert "?v=" in address
    assert response.status_code == 200
    assert "max-age=2592000" in response.headers["Cache-Control"]
    assert "url(" not in response.get_data(as_text=True)
    assert "@import" not in response.get_data(as_text=True)


def test_a_fault_of_a_service_is_told_as_such_and_without_its_words(
    browser: Browser, services: FakeServices
) -> None:
    services.item.fail = EcrsError("item failed: internal error at 10.0.0.3")
    response = browser.get("/items/111")
    assert response.status_code == 502
    assert "10.0.0.3" not in response.get_data(as_text=True)
