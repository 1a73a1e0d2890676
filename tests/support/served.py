"""All five services in this process, over gRPC on free ports, with the tiny release and a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from engine.release import set_current
from engine.types import UserEvent
from services import bootstrap
from services.common import keys
from services.common.rpc import Server
from services.settings import Settings
from tests.support.redis_server import RedisServer, free_port
from tests.support.releases import records, write_release

APPS = (
    bootstrap.user_app,
    bootstrap.item_app,
    bootstrap.recall_app,
    bootstrap.rank_app,
    bootstrap.recommend_app,
)


def store_catalogue(redis_url: str) -> None:
    """Write the tiny catalogue as the 2022 system did."""
    store = redis.Redis.from_url(redis_url)
    for record in records():
        store.set(keys.original_item(str(record["sku_id"])), json.dumps(record))
    store.close()


@contextmanager
def served(folder: Path, write: Callable[[Path], Path] = write_release) -> Iterator[dict[str, str]]:
    """host:port of each service, and of Redis as "redis". Milvus is away, and rank runs ONNX.

    User "5" is stored, with an age that the data writes as "2.0" and purchases of i5, i17 and i29.

    Args:
        write: writes the release into a folder and returns its own; it has the tiny release's catalogue.
    """
    set_current(write(folder).name, folder)
    values: dict[str, Any] = {
        "_env_file": None,
        "artifacts_dir": folder,
        "rank_predictor": "onnx://",
        "milvus_uri": f"http://127.0.0.1:{free_port()}",
        "deadline_ms": 5_000,
    }
    addresses: dict[str, str] = {}
    with ExitStack() as stack:
        store = RedisServer(folder / "redis").start()
        stack.callback(store.stop)
        values["redis_url"] = store.url
        store_catalogue(store.url)
        client = redis.Redis.from_url(store.url)
        client.set(keys.original_user("5"), json.dumps({"user_id": "5", "age": "2.0", "sex": "1.0"}))
        client.close()
        for build in APPS:  # in this order each finds the addresses of those it asks
            app = build(Settings.model_validate(values))
            server = Server(app, "127.0.0.1", 0).start()
            stack.callback(server.stop, 0.2)
            addresses[app.name] = values[f"{app.name}_address"] = f"127.0.0.1:{server.port}"
        users = bootstrap.user_service(Settings.model_validate(values))
        users.record_user_events([UserEvent("5", f"i{row}", "purchase") for row in (5, 17, 29)], 2.0)
        yield {**addresses, "redis": f"127.0.0.1:{store.port}"}
