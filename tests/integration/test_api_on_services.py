"""The REST API on the real services, over gRPC and a real Redis: what its document says holds there too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from flask import Flask

from services import bootstrap
from services.settings import Settings
from tests.support.api_schema import disagreements
from tests.support.served import served
from tests.unit.webapp.stores import memory_stores
from webapp import create_app

pytestmark = pytest.mark.integration

EXAMPLES_EACH = 5


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("api")
    with served(folder) as addresses:
        settings = Settings(
            _env_file=None,
            state_dir=folder / "web",
            prepared_dir=folder,
            redis_url="redis://127.0.0.1:1/0",
            rate_limits=False,
            deadline_ms=5_000,
            **{f"{name}_address": address for name, address in addresses.items()},
        )
        with bootstrap.web_clients(settings) as services:
            yield create_app(settings, services, cache_type="SimpleCache", stores=memory_stores())


def test_no_request_is_answered_otherwise_than_the_document_says(app: Flask) -> None:
    found, requests = disagreements(
        lambda config: schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=config),
        EXAMPLES_EACH,
    )

    assert not found, "\n".join(found)
    assert requests > 300


def test_what_a_service_refuses_names_the_field(app: Flask) -> None:
    api = app.test_client()

    user = api.post("/api/v1/recommendations", json={"profile": {"mood": "good"}})
    page = api.get("/api/v1/items?page_token=made-up")

    assert (user.status_code, page.status_code) == (400, 400)
    assert user.get_json(force=True)["errors"][0]["field"] == "profile.mood"
    assert page.get_json(force=True)["errors"][0]["field"] == "page_token"


def test_an_event_counts_in_the_next_list(app: Flask) -> None:
    api = app.test_client()
    item_id = "i7"

    recorded = api.post(
        "/api/v1/events", json={"events": [{"user_id": "visitor", "item_id": item_id, "type": "click"}]}
    )
    listed = api.get("/api/v1/recommendations?user_id=visitor&page_size=20").get_json()

    assert recorded.get_json() == {"recorded": 1}
    assert listed["user_known"]
    assert item_id in {one["reason"]["item_id"] for one in listed["items"]}
