"""What the views share: the ports, the shared cache, the dataset's description, the time a call may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, cast

from flask import current_app

from services.common.ports import ItemPort, RankPort, RecallPort, RecommendPort, UserPort
from webapp.cache import SharedCache
from webapp.cache_counters import CacheCount
from webapp.categories import CategorySource
from webapp.dataset import DatasetSource
from webapp.impressions import Impressions
from webapp.photos import ImageOrigins
from webapp.redis_health import RedisHealth
from webapp.stand_ins import StandIns
from webapp.stores import Stores

EXTENSION = "ecrs_shop"


class Services(Protocol):
    """The only way of the web tier to shoppers, items and lists."""

    @property
    def user(self) -> UserPort: ...

    @property
    def item(self) -> ItemPort: ...

    @property
    def recommend(self) -> RecommendPort: ...

    @property
    def recall(self) -> RecallPort: ...

    @property
    def rank(self) -> RankPort: ...


@dataclass(frozen=True)
class Shop:
    """Everything a view needs, put together by `build_app`.

    `demo_personas`: whether the dataset's shoppers may be signed in as, without a password.
    `list_timeout_s`: for a recommendation; `call_timeout_s`: for a profile, an item, an event. Seconds.
    """

    services: Services
    shared: SharedCache
    stand_ins: StandIns
    redis_health: RedisHealth
    image_origins: ImageOrigins
    dataset: DatasetSource
    categories: CategorySource
    stores: Stores
    demo_personas: bool
    list_timeout_s: float
    call_timeout_s: float = 1.0
    impressions: Impressions = field(default_factory=Impressions)


def current_shop() -> Shop:
    """The shop of the application that handles this request."""
    return cast(Shop, current_app.extensions[EXTENSION])


def cache_stats() -> dict[str, CacheCount]:
    """Hits and misses of the shared cache by name, over all front ends."""
    return current_shop().shared.stats()
