"""The services that make a list: recall, rank and recommend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from engine.errors import ReleaseNotLoaded
from engine.snapshot import Snapshot
from services.bootstrap.parts import Close, Part, app, closing, target
from services.bootstrap.shared import Shared, Stage
from services.common import keys, redis
from services.common.ports import ItemPort, RankPort, RecallPort, UserPort
from services.common.rpc import App, CallStats, request_id
from services.item.client import ItemClient
from services.item.codec import item_to_json
from services.item.store import RedisItemStore
from services.original import rank as original_rank
from services.original import recall as original_recall
from services.original import recommend as original_recommend
from services.original.context import ContextReader
from services.rank import server as rank_server
from services.rank.client import RankClient
from services.recall import server as recall_server
from services.recall.client import RecallClient
from services.recommend import server as recommend_server
from services.recommend.client import RecommendClient
from services.recommend.fallback import LastGoodList
from services.recommend.item_cache import ItemCache
from services.recommend.service import RecommendService
from services.recommend.snapshots import Snapshots
from services.settings import Settings
from services.user.client import UserClient

if TYPE_CHECKING:
    from engine.snapshot import Registered
    from services.rank.service import RankService
    from services.recall.service import RecallService

_ITEM_STORE_TIMEOUT_S = 0.05


def recall_client(settings: Settings) -> RecallClient:
    """The recall service elsewhere."""
    return RecallClient(target(settings, "recall"))


def recall_part(settings: Settings) -> Part[RecallService]:
    """Recall in this process, loaded and following the current release; ready while one is loaded."""
    shared = Shared(settings, "recall")
    return make_recall(shared).and_close(shared.close)


def recall_app(settings: Settings) -> App:
    """The recall service as a server."""
    shared, users = Shared(settings, "recall"), target(settings, "user")
    close = closing(users.close, shared.close)
    return serve_recall(shared, make_recall(shared), UserClient(users), close)


def rank_client(settings: Settings) -> RankClient:
    """The rank service elsewhere."""
    return RankClient(target(settings, "rank"))


def rank_part(settings: Settings) -> Part[RankService]:
    """Rank in this process, loaded and following the current release; ready while its network answers."""
    shared = Shared(settings, "rank")
    return make_rank(shared).and_close(shared.close)


def rank_app(settings: Settings) -> App:
    """The rank service as a server."""
    shared, users = Shared(settings, "rank"), target(settings, "user")
    close = closing(users.close, shared.close)
    return serve_rank(shared, make_rank(shared), UserClient(users), close)


def recommend_client(settings: Settings) -> RecommendClient:
    """The recommend service elsewhere."""
    return RecommendClient(target(settings, "recommend"))


def recommend_part(
    settings: Settings, user: UserPort, item: ItemPort, recall: RecallPort, rank: RankPort
) -> Part[RecommendService]:
    """Recommend in this process over services or clients; ready once it has a list to give."""
    shared = Shared(settings, "recommend")
    return make_recommend(shared, user, item, recall, rank).and_close(shared.close)


def recommend_app(settings: Settings) -> App:
    """The recommend service as a server."""
    shared = Shared(settings, "recommend")
    targets = [target(settings, name) for name in ("user", "item", "recall", "rank")]
    users, items, recalls, ranks = targets
    part = make_recommend(
        shared,
        UserClient(users),
        ItemClient(items),
        RecallClient(recalls, Snapshots(shared.stage(Snapshot)).get),
        RankClient(ranks),
    )
    close = closing(*(one.close for one in targets), shared.close)
    return serve_recommend(shared, part, close)


def make_recall(shared: Shared) -> Part[RecallService]:
    """Recall over what this process shares."""
    # Imported here, as in `make_rank`: a web front end does not need the libraries of Milvus and of networks.
    from services.recall.availability import Availability  # noqa: PLC0415
    from services.recall.live_items import LiveItems  # noqa: PLC0415
    from services.recall.service import RecallService  # noqa: PLC0415

    store, snapshots = shared.redis, shared.stage(Snapshot)

    def unavailable_ids() -> list[str]:
        with redis.redis_errors():
            members = cast("set[bytes]", store.smembers(keys.UNAVAILABLE))
        return [member.decode("utf-8", "replace") for member in members]

    availability = Availability(unavailable_ids)
    availability.open()
    items = RedisItemStore(store)
    live = LiveItems(
        items.written, partial(_records, items), partial(_registered, snapshots), availability.refresh
    ).open()
    return Part(
        shared.reading(RecallService(snapshots, availability)),
        ready=snapshots.check_ready,
        close=closing(live.close, availability.close),
    )


def serve_recall(
    shared: Shared,
    part: Part[RecallService],
    user: UserPort,
    close: Close,
    stats: CallStats | None = None,
) -> App:
    """Recall by both contracts; the original's names users, whose contexts are read from `user`."""
    contexts = ContextReader(user, shared.attribute_names)
    servicers = [recall_server.servicer(part.service), original_recall.servicer(part.service, contexts)]
    return app(shared, "recall", servicers, part.ready, closing(part.close, close), stats)


def make_rank(shared: Shared) -> Part[RankService]:
    """Rank over what this process shares."""
    from services.rank.loaded import LoadedRanker  # noqa: PLC0415
    from services.rank.service import RankService  # noqa: PLC0415

    rankers = shared.stage(LoadedRanker)

    def ready() -> None:
        with shared.releases.reading():
            rankers.get().check_ready()

    return Part(shared.reading(RankService(rankers)), ready=ready, close=closing())


def serve_rank(
    shared: Shared, part: Part[RankService], user: UserPort, close: Close, stats: CallStats | None = None
) -> App:
    """Rank by both contracts; the original's names users, whose contexts are read from `user`."""
    contexts = ContextReader(user, shared.attribute_names)
    servicers = [rank_server.servicer(part.service), original_rank.servicer(part.service, contexts)]
    return app(shared, "rank", servicers, part.ready, closing(part.close, close), stats)


def make_recommend(
    shared: Shared, user: UserPort, item: ItemPort, recall: RecallPort, rank: RankPort
) -> Part[RecommendService]:
    """Recommend over what this process shares, and services or clients."""
    snapshots = Snapshots(shared.stage(Snapshot))
    fallback = LastGoodList(recall, snapshots.popular)
    fallback.open()
    # A page waits for Redis no longer than asking the item service takes.
    store = RedisItemStore(redis.connect(shared.settings.redis(), timeout_s=_ITEM_STORE_TIMEOUT_S))
    items = ItemCache(item, store).open()
    service = RecommendService(
        user,
        items,
        recall,
        rank,
        snapshots,
        fallback,
        deadline_s=shared.settings.deadline_ms / 1e3,
        request_id=request_id.get,
    )
    return Part(
        shared.reading(service), fallback.check_ready, closing(items.close, store.close, fallback.close)
    )


def serve_recommend(
    shared: Shared, part: Part[RecommendService], close: Close, stats: CallStats | None = None
) -> App:
    """Recommend by both contracts."""
    servicers = [
        recommend_server.servicer(part.service),
        original_recommend.servicer(part.service, shared.attribute_names),
    ]
    return app(shared, "recommend", servicers, part.ready, closing(part.close, close), stats)


def _registered(snapshots: Stage[Snapshot]) -> Registered | None:
    """What registered items are handed to; None while no release is loaded, or it wants none."""
    try:
        return snapshots.get().registered
    except ReleaseNotLoaded:
        return None


def _records(items: RedisItemStore, item_ids: Sequence[str]) -> list[dict[str, Any] | None]:
    """Items in the Redis form, None where there is none."""
    return [json.loads(item_to_json(item)) if item else None for item in items.items(item_ids)]
