"""The services that keep things in Redis: user and item."""

from __future__ import annotations

from services.bootstrap.parts import Close, Part, app, closing, target
from services.bootstrap.shared import Shared
from services.common import redis
from services.common.rpc import App, CallStats
from services.item import server as item_server
from services.item.client import ItemClient
from services.item.search.feed import Popularity, SearchFeed
from services.item.service import ItemService
from services.item.store import RedisItemStore
from services.original import item as original_item
from services.original import user as original_user
from services.settings import Settings
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
    shared = Shared(settings, "user")
    return serve_user(shared, make_user(shared), shared.close)


def make_user(shared: Shared) -> Part[UserService]:
    """The user service over what this process shares."""
    store = RedisUserStore(shared.redis)
    return Part(UserService(store), ready=store.check, close=closing())


def serve_user(shared: Shared, part: Part[UserService], close: Close, stats: CallStats | None = None) -> App:
    """The user service by both contracts; `close` is called after its own."""
    servicers = [user_server.servicer(part.service), original_user.servicer(part.service)]
    return app(shared, "user", servicers, part.ready, closing(part.close, close), stats)


def item_service(settings: Settings) -> ItemService:
    """The item service in this process, without its search: `item_part` has it."""
    return ItemService(RedisItemStore(redis.connect(settings.redis())))


def item_client(settings: Settings) -> ItemClient:
    """The item service elsewhere."""
    return ItemClient(target(settings, "item"))


def item_app(settings: Settings) -> App:
    """The item service as a server; ready once its search is built, while Redis answers."""
    shared = Shared(settings, "item")
    return serve_item(shared, make_item(shared), shared.close)


def item_part(settings: Settings) -> Part[ItemService]:
    """The item service in this process with its search, which is built in the background."""
    shared = Shared(settings, "item")
    return make_item(shared).and_close(shared.close)


def make_item(shared: Shared) -> Part[ItemService]:
    """The item service with its search over what this process shares."""
    store = RedisItemStore(shared.redis)
    search = SearchFeed(store, shared.stage(Popularity).get).open()

    def ready() -> None:
        store.check()
        _ = search.engine  # raises Unavailable until it is built

    return Part(ItemService(store, search), ready=ready, close=search.close)


def serve_item(shared: Shared, part: Part[ItemService], close: Close, stats: CallStats | None = None) -> App:
    """The item service by both contracts; `close` is called after its own."""
    servicers = [item_server.servicer(part.service), original_item.servicer(part.service)]
    return app(shared, "item", servicers, part.ready, closing(part.close, close), stats)
