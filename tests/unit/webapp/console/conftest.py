"""The console over fakes. Nothing listens where Redis and the services would be."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from services.settings import Settings
from tests.unit.webapp.console.world import World, make_world
from webapp import create_app

PASSWORD = "correct horse battery"


@pytest.fixture
def console_settings(settings: Settings) -> Settings:
    nowhere = "127.0.0.1:1"
    return settings.model_copy(
        update={
            "artifacts_dir": settings.state_dir / "artifacts",
            "milvus_uri": f"http://{nowhere}",
            "rank_predictor": f"serving://{nowhere}",
            **{f"{name}_address": nowhere for name in ("user", "item", "recall", "rank", "recommend")},
        }
    )


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def client(console_settings: Settings, world: World) -> FlaskClient:
    return app_of(console_settings, world).test_client()


def app_of(settings: Settings, world: World, **changes: object) -> Flask:
    """The application with some settings changed."""
    return create_app(settings.model_copy(update=changes), world, cache_type="SimpleCache")
