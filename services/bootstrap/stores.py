"""The services that keep things in Redis: user and item."""

from __future__ import annotations

from pathlib import Path

from engine.features.table import STATS
from engine.release import Release
from services.bootstrap.parts import Part, app, closing, target
from services.common import redis
from services.common.release_store import ReleaseStore
from services.common.rpc import App
from services.item import original as item_original
from services.item import server as item_server
from services.item.client import ItemClient
from services.item.search.feed import Popularity, SearchFeed
from services.item.service import ItemService
from services.item.store import RedisItemStore
from services.settings import Settings
from services.user import original as user_original
from services.user import server as user_server
from services.user.client import UserClient
from services.user.service import UserService
from services.user.store import RedisUserStore


def user_service(settings: Settings) -> UserService:
    """The user service in this process."""
    return UserService(RedisUserStore(redis.connect(settings.redis())))


def user_client(settings: Settings) -> UserClient:
    """The user service elsewhere."""
    return UserClient(target(settings, "user"))


def user_app(settings: Settings) -> App:
    """The user service as a server; ready while Redis answers."""
    store = RedisUserStore(redis.connect(settings.redis()))
    users = UserService(store)
    return app(
        settings,
        "user",
        [user_server.servicer(users), user_original.servicer(users)],
        ready=store.check,
        close=store.close,
    )


def item_service(settings: Settings) -> ItemService:
    """The item service in this process, without its search: `item_part` has it."""
    return ItemService(RedisItemStore(redis.connect(settings.redis())))


def item_client(settings: Settings) -> ItemClient:
    """The item service elsewhere."""
    return ItemClient(target(settings, "item"))


def item_app(settings: Settings) -> App:
    """The item service as a server; ready once its search is built, while Redis answers."""
    part, releases = _item(settings)
    return app(
        settings,
        "item",
        [item_server.servicer(part.service), item_original.servicer(part.service)],
        ready=part.ready,
        close=part.close,
        release=lambda: releases.current,
    )


def item_part(settings: Settings) -> Part[ItemService]:
    """The item service in this process with its search, which is built in the background."""
    part, _ = _item(settings)
    return part


def _item(settings: Settings) -> tuple[Part[ItemService], ReleaseStore[Popularity]]:
    client = redis.connect(settings.redis())
    store = RedisItemStore(client)

    def load(folder: Path) -> Popularity:
        release = Release.load(folder, verify=False)  # checksums are recall's business
        bought = release.items.stats[:, STATS.index("popularity_90d")].tolist()
        return Popularity(release.name, dict(zip(release.items.ids, bought, strict=True)))

    releases = ReleaseStore(settings.artifacts_dir, load, client).open()
    search = SearchFeed(store, releases.get).open()

    def ready() -> None:
        store.check()
        _ = search.engine  # raises Unavailable until it is built

    part = Part(
        ItemService(store, search),
        ready=ready,
        close=closing(search.close, releases.close, store.close),
    )
    return part, releases
