"""The API does what its document says: the document is valid, and schemathesis finds no other answer."""

from __future__ import annotations

from typing import get_args

import pytest
import schemathesis
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from engine.errors import EcrsError
from engine.types import SEARCH_ORDERS
from engine.vocabulary import CHANNELS, LIVE_EVENT_TYPES
from services.settings import Settings
from tests.support.api_schema import disagreements
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import memory_stores
from webapp import create_app
from webapp.api.inputs import Channel, EventType, Order
from webapp.api.operations import OPERATIONS
from webapp.api.pages import EXAMPLES
from webapp.api.problems import STATUS

pytestmark = pytest.mark.unit

EXAMPLES_EACH = 10


def test_the_document_is_valid_openapi(app: Flask) -> None:
    document = app.test_client().get("/api/openapi.json").get_json()

    assert document["openapi"].startswith("3.1")
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())


def test_every_call_is_in_the_document_with_a_summary(app: Flask) -> None:
    document = app.test_client().get("/api/openapi.json").get_json()
    described = {
        (path, method) for path, methods in document["paths"].items() for method in methods if methods[method]
    }

    assert described == {(one.path, one.method.lower()) for one in OPERATIONS}
    assert all(one.summary for one in OPERATIONS)


def test_no_request_is_answered_otherwise_than_the_document_says(
    settings: Settings, services: FakeServices
) -> None:
    quiet = settings.model_copy(update={"rate_limits": False})
    app = create_app(quiet, services, cache_type="SimpleCache", stores=memory_stores())

    found, requests = disagreements(
        lambda config: schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=config),
        EXAMPLES_EACH,
    )

    assert not found, "\n".join(found)
    assert requests > 300


def test_the_words_of_the_api_are_those_of_the_contract() -> None:
    assert get_args(Channel) == CHANNELS
    assert get_args(EventType) == LIVE_EVENT_TYPES
    assert get_args(Order) == SEARCH_ORDERS


def test_every_domain_error_has_a_status() -> None:
    assert set(STATUS) == {EcrsError, *EcrsError.__subclasses__()}


def test_the_examples_of_the_page_are_valid_bodies() -> None:
    bodies = {one.name: one.body for one in OPERATIONS if one.body}

    assert set(EXAMPLES) == set(bodies)
    for name, example in EXAMPLES.items():
        assert bodies[name].model_validate(example, strict=False)
