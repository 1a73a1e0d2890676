"""The services that make a list: recall, rank and recommend."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from engine.errors import ReleaseNotLoaded
from engine.release import Release
from engine.snapshot import Snapshot
from services.bootstrap.parts import Part, app, closing, target
from services.common import keys, redis
from services.common.original_context import ContextReader
from services.common.ports import ItemPort, RankPort, RecallPort, UserPort
from services.common.release_store import ReleaseStore
from services.common.rpc import App, Servicer, request_id
from services.item.client import ItemClient
from services.item.codec import item_to_json
from services.item.store import RedisItemStore
from services.rank import original as rank_original
from services.rank import server as rank_server
from services.rank.client import RankClient
from services.recall import original as recall_original
from services.recall import server as recall_server
from services.recall.client import RecallClient
from services.recommend import original as recommend_original
from services.recommend import server as recommend_server
from services.recommend.client import RecommendClient
from services.recommend.fallback import LastGoodList
from services.recommend.service import RecommendService
from services.recommend.snapshots import Snapshots
from services.settings import Settings
from services.user.client import UserClient

if TYPE_CHECKING:
    from engine.snapshot import Registered
    from services.rank.loaded import LoadedRanker
    from services.rank.service import RankService
    from services.recall.service import RecallService

T = TypeVar("T")


def recall_client(settings: Settings) -> RecallClient:
    """The recall service elsewhere."""
    return RecallClient(target(settings, "recall"))


def recall_part(settings: Settings) -> Part[RecallService]:
    """Recall in this process, loaded and following the current release; ready while one is loaded."""
    part, _ = _recall(settings)
    return part


def recall_app(settings: Settings) -> App:
    """The recall service as a server."""
    return _app_with_contexts(
        settings, "recall", *_recall(settings), recall_server.servicer, recall_original.servicer
    )


def rank_client(settings: Settings) -> RankClient:
    """The rank service elsewhere."""
    return RankClient(target(settings, "rank"))


def rank_part(settings: Settings) -> Part[RankService]:
    """Rank in this process, loaded and following the current release; ready while its network answers."""
    part, _ = _rank(settings)
    return part


def rank_app(settings: Settings) -> App:
    """The rank service as a server."""
    return _app_with_contexts(
        settings, "rank", *_rank(settings), rank_server.servicer, rank_original.servicer
    )


def recommend_client(settings: Settings) -> RecommendClient:
    """The recommend service elsewhere."""
    return RecommendClient(target(settings, "recommend"))


def recommend_part(
    settings: Settings, user: UserPort, item: ItemPort, recall: RecallPort, rank: RankPort
) -> Part[RecommendService]:
    """Recommend in this process over services or clients; ready once it has a list to give."""
    snapshots, close = _snapshots(settings)
    return _recommend(settings, snapshots, close, user, item, recall, rank)


def recommend_app(settings: Settings) -> App:
    """The recommend service as a server."""
    targets = [target(settings, name) for name in ("user", "item", "recall", "rank")]
    users, items, recalls, ranks = targets
    snapshots, close = _snapshots(settings)
    recall = RecallClient(recalls, snapshots.get)
    part = _recommend(
        settings, snapshots, close, UserClient(users), ItemClient(items), recall, RankClient(ranks)
    )
    return app(
        settings,
        "recommend",
        [
            recommend_server.servicer(part.service),
            recommend_original.servicer(part.service, snapshots.attribute_names),
        ],
        ready=part.ready,
        close=closing(part.close, *(one.close for one in targets)),
        release=snapshots.release,
    )


def _recall(settings: Settings) -> tuple[Part[RecallService], ReleaseStore[Snapshot]]:
    # Imported here, as in `_rank`: a web front end does not need the libraries of Milvus and of the networks.
    from services.adapters.milvus.collection import Description  # noqa: PLC0415
    from services.adapters.milvus.index import MilvusIndex  # noqa: PLC0415
    from services.adapters.snapshots import load_snapshot  # noqa: PLC0415
    from services.recall.availability import Availability  # noqa: PLC0415
    from services.recall.live_items import LiveItems  # noqa: PLC0415
    from services.recall.service import RecallService  # noqa: PLC0415

    store = redis.connect(settings.redis())

    def load(folder: Path) -> Snapshot:
        release = Release.load(folder)
        rows, dim = release.vectors.shape
        expected = Description(release.name, release.schema.fingerprint(), dim=dim, rows=rows)
        index = MilvusIndex(settings.milvus(), expected, token=settings.milvus_token.get_secret_value())
        return load_snapshot(release, index, settings.exact_search_limit)

    def unavailable_ids() -> list[str]:
        with redis.redis_errors():
            members = cast("set[bytes]", store.smembers(keys.UNAVAILABLE))
        return [member.decode("utf-8", "replace") for member in members]

    availability = Availability(unavailable_ids)
    availability.open()
    releases = ReleaseStore(settings.artifacts_dir, load, store, warm=Snapshot.warm).open()
    items = RedisItemStore(store)
    live = LiveItems(
        items.written, partial(_records, items), lambda: _registered(releases), availability.refresh
    ).open()
    part = Part(
        RecallService(releases, availability),
        ready=releases.check_ready,
        close=closing(live.close, availability.close, releases.close, store.close),
    )
    return part, releases


def _app_with_contexts(
    settings: Settings,
    name: str,
    part: Part[T],
    releases: ReleaseStore[Snapshot] | ReleaseStore[LoadedRanker],
    servicer: Callable[[T], Servicer],
    original: Callable[[T, ContextReader], Servicer],
) -> App:
    """A service as a server, by both contracts; the original's names users, whose contexts are read."""
    users = target(settings, "user")
    contexts = ContextReader(UserClient(users), lambda: _attribute_names(releases))
    return app(
        settings,
        name,
        [servicer(part.service), original(part.service, contexts)],
        ready=part.ready,
        close=closing(part.close, users.close),
        release=lambda: releases.current,
    )


def _registered(releases: ReleaseStore[Snapshot]) -> Registered | None:
    """What registered items are handed to; None while no release is loaded, or it wants none."""
    try:
        return releases.get().registered
    except ReleaseNotLoaded:
        return None


def _records(items: RedisItemStore, item_ids: Sequence[str]) -> list[dict[str, Any] | None]:
    """Items in the Redis form, None where there is none."""
    return [json.loads(item_to_json(item)) if item else None for item in items.items(item_ids)]


def _rank(settings: Settings) -> tuple[Part[RankService], ReleaseStore[LoadedRanker]]:
    from services.adapters.by_url import guarded_predictor  # noqa: PLC0415
    from services.rank.loaded import LoadedRanker  # noqa: PLC0415
    from services.rank.service import RankService  # noqa: PLC0415

    store = redis.connect(settings.redis())

    def load(folder: Path) -> LoadedRanker:
        release = Release.load(folder)
        return LoadedRanker(release, guarded_predictor(settings.predictor(), folder, release.name))

    releases = ReleaseStore(settings.artifacts_dir, load, store, warm=LoadedRanker.warm).open()
    part = Part(
        RankService(releases),
        ready=lambda: releases.get().check_ready(),
        close=closing(releases.close, store.close),
    )
    return part, releases


def _snapshots(settings: Settings) -> tuple[Snapshots, Callable[[], None]]:
    """The releases as recommend reads them, and how to end following them."""
    store = redis.connect(settings.redis())
    # Checksums are recall's business: here only ids, categories, segments and the popular list are read.
    releases = ReleaseStore(
        settings.artifacts_dir, lambda folder: Snapshot.of(Release.load(folder, verify=False)), store
    ).open()
    return Snapshots(releases), closing(releases.close, store.close)


def _recommend(
    settings: Settings,
    snapshots: Snapshots,
    close: Callable[[], None],
    user: UserPort,
    item: ItemPort,
    recall: RecallPort,
    rank: RankPort,
) -> Part[RecommendService]:
    fallback = LastGoodList(recall, snapshots.popular)
    fallback.open()
    service = RecommendService(
        user,
        item,
        recall,
        rank,
        snapshots,
        fallback,
        deadline_s=settings.deadline_ms / 1e3,
        request_id=request_id.get,
    )
    return Part(service, fallback.check_ready, closing(fallback.close, close))


def _attribute_names(
    releases: ReleaseStore[Snapshot] | ReleaseStore[LoadedRanker],
) -> frozenset[str] | None:
    """The user features of the current release; None while there is none."""
    try:
        schema = releases.get().schema
    except ReleaseNotLoaded:
        return None
    return frozenset(entry.name for entry in schema.user_fields)
