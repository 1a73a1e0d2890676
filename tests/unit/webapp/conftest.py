"""The application over fakes, with Flask's test client as browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.settings import Settings
from tests.unit.webapp.fake_stores import DATASET_TOML
from tests.unit.webapp.fakes import FakeServices, make_services
from tests.unit.webapp.stores import memory_stores
from webapp import create_app
from webapp.stores import Stores

NOWHERE = "redis://127.0.0.1:1/0"
"""No Redis listens on port 1: refused at once."""


class Browser:
    """A shopper's browser: keeps cookies and sends the CSRF token of the page before."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers)

    def post(self, path: str, **form: str) -> TestResponse:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.text("/signin"))
        assert token
        return self.client.post(path, data={"csrf_token": token[1], **form})

    def text(self, path: str) -> str:
        return self.get(path).get_data(as_text=True)

    def sign_in(self, user_id: str) -> None:
        assert self.post("/signin", user_id=user_id).status_code == 303

    def cards(self, path: str = "/") -> list[str]:
        """Item ids of the first list of a page."""
        first_list = self.text(path).split('<ul class="cards')[1].split("</ul>")[0]
        return re.findall(r'name="item_id" value="([^"]+)"', first_list)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    prepared = tmp_path / "prepared" / "demo"
    prepared.mkdir(parents=True)
    (prepared / "dataset.toml").write_text(DATASET_TOML, encoding="utf-8")
    return Settings(
        state_dir=tmp_path / "var", prepared_dir=tmp_path / "prepared", dataset="demo", redis_url=NOWHERE
    )


@pytest.fixture
def services() -> FakeServices:
    return make_services()


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def app(settings: Settings, services: FakeServices, stores: Stores) -> Flask:
    return create_app(settings, services, cache_type="SimpleCache", stores=stores)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def other_browser(app: Flask) -> Browser:
    return Browser(app.test_client())
