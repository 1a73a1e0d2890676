"""The services in this process and over gRPC, on a real Redis: every test here runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services import bootstrap
from services.common.ports import ItemPort, UserPort
from services.common.rpc import Server
from services.item.client import ItemClient
from services.settings import Settings
from services.user.client import UserClient

TRANSPORTS = ("in process", "gRPC")


def settings_for(redis_url: str, **values: object) -> Settings:
    """Settings of a test: nothing from the environment but what is given."""
    return Settings.model_validate({"redis_url": redis_url, "_env_file": None, **values})


@pytest.fixture(params=TRANSPORTS)
def users(request: pytest.FixtureRequest, redis_url: str) -> Iterator[UserPort]:
    """The user service."""
    settings = settings_for(redis_url)
    if request.param == "in process":
        yield bootstrap.user_service(settings)
        return
    server = Server(bootstrap.user_app(settings), "127.0.0.1", 0).start()
    target = bootstrap.target(settings_for(redis_url, user_address=f"127.0.0.1:{server.port}"), "user")
    yield UserClient(target)
    target.close()  # else it goes on asking a port that a later server may be given
    server.stop(0.2)


@pytest.fixture(params=TRANSPORTS)
def items(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[ItemPort]:
    """The item service."""
    settings = settings_for(redis_url, artifacts_dir=tmp_path)
    if request.param == "in process":
        part = bootstrap.item_part(settings)
        yield part.service
        part.close()
        return
    server = Server(bootstrap.item_app(settings), "127.0.0.1", 0).start()
    target = bootstrap.target(settings_for(redis_url, item_address=f"127.0.0.1:{server.port}"), "item")
    yield ItemClient(target)
    target.close()
    server.stop(0.2)
