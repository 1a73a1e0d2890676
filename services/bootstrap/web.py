"""What the web tier talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from services.bootstrap.parts import target
from services.common.ports import ItemPort, RankPort, RecallPort, RecommendPort, UserPort
from services.common.rpc import Target
from services.item.client import ItemClient
from services.rank.client import RankClient
from services.recall.client import RecallClient
from services.recommend.client import RecommendClient
from services.settings import Settings
from services.user.client import UserClient


@dataclass(frozen=True)
class WebClients:
    """The shop asks user, item and recommend; the console looks into recall and rank as well."""

    user: UserPort
    item: ItemPort
    recommend: RecommendPort
    recall: RecallPort
    rank: RankPort


@contextmanager
def web_clients(settings: Settings) -> Iterator[WebClients]:
    """Clients of all five services over gRPC for greenlets, closed at the end."""
    with ExitStack() as stack:

        def open_target(service: str) -> Target:
            opened = target(settings, service, greenlets=True)
            stack.callback(opened.close)
            return opened

        yield WebClients(
            UserClient(open_target("user")),
            ItemClient(open_target("item")),
            RecommendClient(open_target("recommend")),
            RecallClient(open_target("recall")),
            RankClient(open_target("rank")),
        )
