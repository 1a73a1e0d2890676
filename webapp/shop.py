"""What the views share: the ports, the shared cache, the dataset's description, the time a call may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from flask import current_app

from services.common.ports import ItemPort, RecommendPort, UserPort
from webapp.cache import SharedCache
from webapp.categories import CategorySource
from webapp.dataset import DatasetSource

EXTENSION = "ecrs_shop"


class Services(Protocol):
    """The only way of the web tier to shoppers, items and lists."""

    @property
    def user(self) -> UserPort: ...

    @property
    def item(self) -> ItemPort: ...

    @property
    def recommend(self) -> RecommendPort: ...


@dataclass(frozen=True)
class Shop:
    """Everything a view needs, put together by `build_app`.

    `list_timeout_s`: for a recommendation; `call_timeout_s`: for a profile, an item, an event. Seconds.
    """

    services: Services
    shared: SharedCache
    dataset: DatasetSource
    categories: CategorySource
    list_timeout_s: float
    call_timeout_s: float = 1.0


def current_shop() -> Shop:
    """The shop of the application that handles this request."""
    return cast(Shop, current_app.extensions[EXTENSION])
