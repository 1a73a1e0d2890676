"""The REST API over fakes: what each call gives, what each mistake gets, who may ask."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine.errors import (
    DeadlineExceeded,
    EcrsError,
    InvalidArgument,
    ReleaseNotLoaded,
    Unavailable,
)
from services.settings import Settings
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import memory_stores
from webapp import create_app
from webapp.api.inputs import SearchParameters

pytestmark = pytest.mark.unit

EVENT = {"user_id": "1", "item_id": "101", "type": "click"}


@pytest.fixture
def api(app: Flask) -> FlaskClient:
    return app.test_client()


def with_settings(settings: Settings, services: FakeServices, **changes: Any) -> FlaskClient:
    changed = Settings(_env_file=None, **{**settings.model_dump(), **changes})
    return create_app(changed, services, cache_type="SimpleCache", stores=memory_stores()).test_client()


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The problem document of a response, which must have this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = response.get_json(force=True)
    assert document["status"] == status
    assert document["request_id"] == response.headers["X-Request-ID"]
    return document


def fields(response: TestResponse, status: int) -> list[str]:
    return [one["field"] for one in problem(response, status).get("errors", [])]


@pytest.mark.parametrize(("size", "length"), [(0, 20), (100, 100), (101, 100), (10**30, 100)])
def test_a_page_has_the_default_size_for_0_and_never_more_than_the_most(size: int, length: int) -> None:
    assert SearchParameters.model_validate({"page_size": size}).page_size == length


@pytest.mark.parametrize("path", ["/api/v1/items", "/api/v1/search"])
def test_a_page_size_of_an_address_may_be_any_number(path: str, api: FlaskClient) -> None:
    listed = api.get(f"{path}?page_size=100").get_json()["items"]
    assert api.get(f"{path}?page_size={10**30}").get_json()["items"] == listed


def test_a_list_by_id_has_details_reasons_and_a_token(api: FlaskClient) -> None:
    answer = api.get("/api/v1/recommendations?user_id=1&page_size=3").get_json()

    assert len(answer["items"]) == 3
    assert answer["attribution_token"]
    assert answer["items"][0]["item"]["title"]
    assert answer["items"][0]["reason"]["kind"]


def test_a_list_by_profile_session_and_filter_asks_for_just_that(
    api: FlaskClient, services: FakeServices
) -> None:
    body = {
        "profile": {"age": "25-34"},
        "session_item_ids": ["101", "102"],
        "filter": {"brands": ["Private"], "price_max": 5},
        "channels": ["trending"],
    }

    assert api.post("/api/v1/recommendations", json=body).status_code == 200
    asked = services.recommend.asked[-1]
    assert asked.profile == {"age": "25-34"}
    assert asked.session_item_ids == ("101", "102")
    assert asked.filter.brands == {"Private"}
    assert asked.filter.price_max == 5
    assert asked.channels == ("trending",)


def test_a_recorded_event_is_listed_and_counts_in_the_next_list(api: FlaskClient) -> None:
    before = api.get("/api/v1/recommendations?user_id=9").get_json()["items"]

    assert api.post("/api/v1/events", json={"events": [{**EVENT, "user_id": "9"}]}).get_json() == {
        "recorded": 1
    }

    events = api.get("/api/v1/users/9/events").get_json()["events"]
    assert [(event["item_id"], event["type"]) for event in events] == [("101", "click")]
    assert api.get("/api/v1/recommendations?user_id=9").get_json()["items"] != before


def test_another_spelling_of_an_id_is_the_same_id(api: FlaskClient, services: FakeServices) -> None:
    assert api.get("/api/v1/items/101.0").get_json()["item_id"] == "101"
    listed = api.get("/api/v1/items?id=101.0").get_json()["items"]
    assert [item["item_id"] for item in listed] == ["101"]
    event = {"user_id": " 1 ", "item_id": "101.0", "type": "click"}
    assert api.post("/api/v1/events", json={"events": [event]}).status_code == 200
    assert (services.user.events[-1].user_id, services.user.events[-1].item_id) == ("1", "101")
    assert api.get("/api/v1/users/1.0").get_json()["user_id"] == "1"


@pytest.mark.parametrize("word", ["nan", "%20", "null", "%5CN"])
def test_a_word_for_unknown_is_no_id(api: FlaskClient, word: str) -> None:
    assert fields(api.get(f"/api/v1/items/{word}"), 422) == ["item_id"]
    assert fields(api.get(f"/api/v1/recommendations?user_id={word}"), 422) == ["user_id"]


def test_an_event_with_an_id_is_stored_once(api: FlaskClient) -> None:
    body = {"events": [{**EVENT, "event_id": "e1"}]}

    assert [api.post("/api/v1/events", json=body).get_json()["recorded"] for _ in range(2)] == [1, 0]


def test_a_shopper_is_made_read_and_deleted(api: FlaskClient) -> None:
    path = "/api/v1/users/new one"

    assert api.put(path, json={"attributes": {"age": "19-24"}}).status_code == 200
    assert api.get(path).get_json() == {"user_id": "new one", "attributes": {"age": "19-24"}}
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.delete(path).status_code == 204


def test_the_catalogue_is_read_in_pages_by_ids_by_search_and_by_category(api: FlaskClient) -> None:
    page = api.get("/api/v1/items?page_size=5").get_json()
    named = api.get("/api/v1/items?id=101&id=nothing").get_json()
    found = api.get("/api/v1/search?query=milk&order=price_ascending").get_json()
    tree = api.get("/api/v1/categories?depth=2").get_json()["categories"]
    similar = api.get("/api/v1/items/101/similar?page_size=2&channel=item_to_item").get_json()

    assert len(page["items"]) == 5
    assert [item["item_id"] for item in named["items"]] == ["101"]
    assert named["missing_ids"] == ["nothing"]
    assert found["total_count"] >= 1
    assert "milk" in found["items"][0]["title"].lower()
    assert tree[0]["item_count"] >= tree[-1]["item_count"] > 0
    assert len(similar["items"]) == 2


def test_an_unchanged_answer_about_the_catalogue_is_not_sent_again(
    api: FlaskClient, services: FakeServices
) -> None:
    for path in ("/api/v1/items/101", "/api/v1/items", "/api/v1/search?query=milk", "/api/openapi.json"):
        first = api.get(path)
        again = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.get_data()) == (304, b"")
        assert "no-cache" in first.headers["Cache-Control"]
        assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200

    etag = api.get("/api/v1/items/101").headers["ETag"]
    del services.item.items["101"]
    assert api.get("/api/v1/items/101", headers={"If-None-Match": etag}).status_code == 404


def test_answers_about_shoppers_are_not_kept_by_anybody(api: FlaskClient) -> None:
    for path in ("/api/v1/recommendations?user_id=1", "/api/v1/users/1", "/api/v1/users/1/events"):
        response = api.get(path)
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/items?page_size=-1", "page_size"),
        ("/api/v1/search?page_size=-1", "page_size"),
        ("/api/v1/items?page_size=5.0", "page_size"),
        ("/api/v1/items?page_size=٥", "page_size"),
        ("/api/v1/items?page_size=5&page_size=6", "page_size"),
        ("/api/v1/items?pagesize=5", "pagesize"),
        ("/api/v1/recommendations", "user_id"),
        ("/api/v1/recommendations?user_id=", "user_id"),
        ("/api/v1/recommendations?user_id=1&channel=none", "channel[0]"),
        ("/api/v1/search?include_unavailable=yes", "include_unavailable"),
        ("/api/v1/search?price_min=nan", "price_min"),
        ("/api/v1/search?price_min=-1", "price_min"),
        ("/api/v1/search?order=best", "order"),
        ("/api/v1/users/a%00b", "user_id"),
        ("/api/v1/items/" + "x" * 257, "item_id"),
    ],
)
def test_a_wrong_parameter_is_named(api: FlaskClient, path: str, field: str) -> None:
    assert fields(api.get(path), 422) == [field]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/v1/recommendations", {}, "body"),
        ("/api/v1/recommendations", {"user_id": 5}, "user_id"),
        ("/api/v1/recommendations", {"user_id": "1", "page_size": "5"}, "page_size"),
        ("/api/v1/recommendations", {"user_id": "1", "page_size": True}, "page_size"),
        ("/api/v1/recommendations", {"user_id": "1", "filter": {"price_min": -1}}, "filter.price_min"),
        ("/api/v1/recommendations", {"user_id": "1", "filter": {"colour": "red"}}, "filter.colour"),
        ("/api/v1/recommendations", ["user_id"], "body"),
        ("/api/v1/events", {"events": []}, "events"),
        ("/api/v1/events", {"events": [EVENT, {**EVENT, "type": "steal"}]}, "events[1].type"),
        ("/api/v1/events", {"events": [{**EVENT, "at_ms": -1}]}, "events[0].at_ms"),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_the_field(
    api: FlaskClient, path: str, body: Any, field: str
) -> None:
    assert fields(api.post(path, json=body), 422) == [field]


@pytest.mark.parametrize("body", [b"", b"{", b'{"user_id": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_bad_request(api: FlaskClient, body: bytes) -> None:
    response = api.post("/api/v1/recommendations", data=body, content_type="application/json")

    assert "not JSON" in problem(response, 400)["detail"]


def test_other_types_other_methods_unknown_paths_and_giants_are_told_apart(api: FlaskClient) -> None:
    form = api.post("/api/v1/events", data={"events": "1"})
    method = api.post("/api/v1/items/101", json={})
    giant = api.post("/api/v1/events", data=b" " * (1024 * 1024 + 1), content_type="application/json")

    problem(form, 415)
    problem(method, 405)
    assert "GET" in method.headers["Allow"]
    problem(giant, 413)
    problem(api.get("/api/v1/nothing"), 404)
    problem(api.get("/api/v1/items/nothing"), 404)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidArgument("users[0].attributes.mood", "is not a feature"), 400),
        (Unavailable("redis is away"), 503),
        (ReleaseNotLoaded("none"), 503),
        (DeadlineExceeded("too slow"), 504),
        (EcrsError("user failed: ?"), 502),
    ],
)
def test_what_a_service_answers_becomes_the_fitting_status(
    api: FlaskClient, services: FakeServices, error: EcrsError, status: int
) -> None:
    services.user.fail = error

    response = api.put("/api/v1/users/1", json={"attributes": {"mood": "good"}})

    document = problem(response, status)
    if status == 400:
        assert document["errors"] == [{"field": "attributes.mood", "problem": "is not a feature"}]
    assert ("Retry-After" in response.headers) == (status == 503)


def test_our_own_mistake_is_told_without_its_trace(api: FlaskClient, services: FakeServices) -> None:
    services.user.fail = ZeroDivisionError("secret")  # type: ignore[assignment]  # what no port may raise

    assert "secret" not in str(problem(api.get("/api/v1/users/1"), 500))


def test_health_names_the_service_that_does_not_answer(api: FlaskClient, services: FakeServices) -> None:
    assert api.get("/api/v1/health").get_json()["status"] == "ok"
    services.user.fail = Unavailable("away")

    response = api.get("/api/v1/health")

    assert response.status_code == 503
    assert response.get_json()["services"] == {"user": "Unavailable", "item": "ok", "recommend": "ok"}


def test_the_cookie_of_the_shop_means_nothing_here(browser: Browser, settings: Settings) -> None:
    browser.sign_in("1")

    response = browser.client.get("/api/v1/recommendations?user_id=2")

    assert "Set-Cookie" not in response.headers
    assert browser.client.get("/api/v1/recommendations").status_code == 422  # nobody is assumed


def test_off_loopback_only_the_token_opens_the_api(settings: Settings, services: FakeServices) -> None:
    closed = with_settings(settings, services, bind="0.0.0.0")  # noqa: S104 - nothing listens
    opened = with_settings(settings, services, bind="0.0.0.0", api_token="t0ken")  # noqa: S104

    assert "ECRS_API_TOKEN" in problem(closed.get("/api/v1/users/1"), 401)["detail"]
    for value in ("", "Bearer wrong", "Basic dDp0", "Bearer t0ken\u00e9"):
        refused = opened.get("/api/v1/users/1", headers={"Authorization": value})
        assert problem(refused, 401)
        assert refused.headers["WWW-Authenticate"].lower().startswith("bearer")
    assert opened.get("/api/v1/users/1", headers={"Authorization": "Bearer t0ken"}).status_code == 200
    for path in ("/api/v1/health", "/api/openapi.json", "/api/docs"):
        assert closed.get(path).status_code == 200
    assert opened.get("/api/openapi.json").get_json()["components"]["securitySchemes"]


def test_the_api_answers_only_under_names_it_was_told(settings: Settings, services: FakeServices) -> None:
    by_default = with_settings(settings, services)
    told = with_settings(settings, services, api_hosts="shop.example other.example")
    anybody = with_settings(settings, services, api_hosts="*")

    for host in ("localhost", "localhost:5000", "127.0.0.1:5158", "[::1]:5000"):
        assert by_default.get("/api/v1/users/1", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "evil.example:5000", "127.0.0.1.evil.example", "10.0.0.7"):
        assert "ECRS_API_HOSTS" in problem(by_default.get("/api/docs", headers={"Host": host}), 421)["detail"]
        assert anybody.get("/api/v1/users/1", headers={"Host": host}).status_code == 200
    assert told.get("/api/v1/users/1", headers={"Host": "Shop.Example:8080"}).status_code == 200
    assert problem(told.get("/api/v1/users/1", headers={"Host": "example"}), 421)


def test_pages_of_other_sites_may_read_only_where_the_settings_say_so(
    api: FlaskClient, settings: Settings, services: FakeServices
) -> None:
    ours, other = {"Origin": "https://a.example"}, {"Origin": "https://b.example"}
    shared = with_settings(settings, services, api_origins="https://a.example")

    assert "Access-Control-Allow-Origin" not in api.get("/api/v1/items", headers=ours).headers
    assert "Access-Control-Allow-Origin" not in shared.get("/api/v1/items", headers=other).headers
    answer = shared.get("/api/v1/items", headers=ours)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    asked = shared.options("/api/v1/events", headers=ours)
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]


def test_the_page_shows_every_call_and_runs_nothing(api: FlaskClient) -> None:
    page = api.get("/api/docs")
    text = page.get_data(as_text=True)

    assert all(f'id="{name}"' in text for name in ("get_recommendations", "record_events", "search_items"))
    assert "<script" not in text
    assert " style=" not in text
    assert "curl" in text


def test_without_recommend_lists_are_what_is_popular_and_say_so(
    api: FlaskClient, services: FakeServices
) -> None:
    before = api.get("/api/v1/items/111/similar?page_size=3").get_json()
    services.recommend.fail = DeadlineExceeded("away")
    body = {"user_id": "1", "page_size": 3, "filter": {"categories": ["Bread"], "price_max": 5}}
    for response in (
        api.get("/api/v1/recommendations?user_id=1&page_size=3"),
        api.post("/api/v1/recommendations", json=body),
    ):
        found = response.get_json()
        assert response.status_code == 200
        assert response.headers["X-ECRS-Stale"] == "lists"
        assert (found["degraded"], found["attribution_token"]) == (["CANDIDATES"], "")
        assert 0 < len(found["items"]) <= 3
    assert {one["item"]["category_path"][1] for one in found["items"]} == {"Bread"}
    copy = api.get("/api/v1/items/111/similar?page_size=3")
    assert (copy.get_json(), copy.headers["X-ECRS-Stale"]) == (before, "lists")
    beside = api.get("/api/v1/items/101/similar").get_json()
    assert {one["item"]["category_path"][1] for one in beside["items"]} == {"Cold Cereal"}
    assert "101" not in {one["item_id"] for one in beside["items"]}
    problem(api.get("/api/v1/items/nothing/similar"), 404)


def test_without_the_item_service_what_was_read_before_is_answered_and_marked(
    api: FlaskClient, services: FakeServices
) -> None:
    paths = ("/api/v1/items/111", "/api/v1/search?query=milk", "/api/v1/categories", "/api/v1/items?id=111")
    before = [api.get(path).get_json() for path in paths]
    services.item.fail = Unavailable("away")
    answers = [api.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.get_json() for answer in answers] == before
    stale = [answer.headers["X-ECRS-Stale"] for answer in answers]
    assert stale == ["items", "search", "categories", "items"]
    problem(api.get("/api/v1/items/112x"), 503)
    problem(api.get("/api/v1/search?query=bread"), 503)
