"""The request path as processes, on real Redis and Milvus Lite: each part is killed, a list stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from engine.errors import EcrsError
from engine.release import Release, set_current
from engine.types import Recommendation, RecommendQuery, UserEvent
from engine.vocabulary import Degradation
from services import bootstrap
from services.adapters.milvus.build import build_collection
from services.adapters.milvus.collection import Description, collection_name, connect, index_for
from services.common.rpc import Target
from services.common.values import now_ms
from services.recommend.client import RecommendClient
from services.settings import Settings
from tests.integration.programs import Program, await_true, free_port
from tests.support.redis_server import RedisServer
from tests.support.releases import write_release
from tests.support.served import store_catalogue

pytestmark = pytest.mark.integration

SERVICES = ("user", "item", "recall", "rank", "recommend")
QUERY = RecommendQuery(user_id="u1")
BACK_WITHIN_S = 30.0


@dataclass
class System:
    """What runs, and a client of its recommend service."""

    redis: RedisServer
    milvus: Program
    services: dict[str, Program]
    client: RecommendClient

    def ask(self) -> Recommendation:
        """One list; the caller gives a second."""
        return self.client.recommend(QUERY, 1.0)

    def await_healthy(self) -> None:
        """Wait until a list comes with nothing missing."""
        last: list[object] = [None]

        def healthy() -> bool:
            try:
                answer = self.ask()
            except EcrsError as error:
                last[0] = error
                return False
            last[0] = answer.degraded
            return not answer.degraded and answer.user_known and len(answer.items) == 20

        await_true(healthy, BACK_WITHIN_S, lambda: f"still not healthy: {last[0]}")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    release = Release.load(write_release(folder / "artifacts"))
    set_current(release.name, folder / "artifacts")
    redis = RedisServer(folder / "redis").start()
    store_catalogue(redis.url)
    milvus = Program(
        "services.embedded.milvus", ["--dir", str(folder / "milvus")], free_port(), folder / "milvus.log"
    )
    milvus.start()
    _load_vectors(release, f"http://{milvus.address}")
    services = {
        name: Program(f"services.{name}", [], free_port(), folder / f"{name}.log") for name in SERVICES
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECRS_REDIS_URL", redis.url)
        patch.setenv("ECRS_ARTIFACTS_DIR", str(folder / "artifacts"))
        patch.setenv("ECRS_MILVUS_URI", f"http://{milvus.address}")
        patch.setenv("ECRS_RANK_PREDICTOR", "onnx://")
        for name, program in services.items():
            patch.setenv(f"ECRS_{name.upper()}_ADDRESS", program.address)
        for program in services.values():
            program.start()
        users = bootstrap.user_service(Settings.model_validate({"_env_file": None, "redis_url": redis.url}))
        bought = [UserEvent("u1", f"i{row}", "purchase", now_ms() - 90_000_000) for row in (5, 17, 29)]
        users.record_user_events(bought, 2.0)
        target = Target("recommend", services["recommend"].address).open()
        yield System(redis, milvus, services, RecommendClient(target))
        target.close()
    for program in (*reversed(services.values()), milvus):
        program.stop()
    redis.stop()


def _load_vectors(release: Release, uri: str) -> None:
    rows, dim = release.vectors.shape
    client = connect(uri, "", 10)
    description = Description(release.name, release.schema.fingerprint(), dim=dim, rows=rows)
    build_collection(
        client,
        collection_name(release.name),
        release.items.ids,
        release.vectors,
        description,
        index_for(rows, lite=True),
    )
    client.close()


def test_a_list_goes_through_all_parts_and_the_next_one_answers_a_click(system: System) -> None:
    system.await_healthy()
    before = system.ask()
    assert all(shown.item for shown in before.items)
    assert {"two_tower", "bought_again"} <= {name for shown in before.items for name in shown.channels}
    users = bootstrap.user_service(
        Settings.model_validate({"_env_file": None, "redis_url": system.redis.url})
    )
    users.record_user_events([UserEvent("u1", f"i{row}", "click") for row in (8, 20, 44)], 2.0)
    after = system.ask()
    assert [shown.item_id for shown in after.items] != [shown.item_id for shown in before.items]
    assert sum(shown.reason.item_id in {"i8", "i20", "i44"} for shown in after.items) >= 4


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("user", Degradation.USER),
        ("recall", Degradation.CANDIDATES),
        ("rank", Degradation.RANK),
    ],
)
def test_a_killed_service_leaves_a_list_and_comes_back(
    system: System, name: str, missing: Degradation
) -> None:
    system.await_healthy()
    program = system.services[name]
    program.kill()
    slowest = 0.0
    for _ in range(10):
        started = time.monotonic()
        answer = system.ask()
        slowest = max(slowest, time.monotonic() - started)
        assert len(answer.items) == 20
        assert missing in answer.degraded
    assert slowest < 1.0
    program.start()
    system.await_healthy()


def test_a_killed_item_service_is_missed_by_what_was_not_shown_before_only(system: System) -> None:
    system.await_healthy()
    program = system.services["item"]
    program.kill()
    known = system.ask()
    assert all(shown.item for shown in known.items)
    assert known.degraded == frozenset(), "details that are kept and followed are those of the store"
    for _ in range(5):
        longer = system.client.recommend(replace(QUERY, page_size=60), 1.0)
        assert len(longer.items) == 60
        assert longer.degraded == {Degradation.ITEM}
    program.start()
    system.await_healthy()


def test_killed_milvus_leaves_a_full_list_and_comes_back(system: System) -> None:
    system.await_healthy()
    system.milvus.kill()
    answers = [system.ask() for _ in range(10)]
    assert all(len(answer.items) == 20 for answer in answers)
    assert answers[-1].degraded == {Degradation.INDEX}
    system.milvus.start()
    system.await_healthy()


def test_killed_redis_leaves_a_list_with_the_details_seen_before_and_comes_back(system: System) -> None:
    system.await_healthy()
    system.redis.kill()
    answers = []
    end = time.monotonic() + 1.5  # what is kept of items is used for a second at most
    while time.monotonic() < end:
        answers.append(system.ask())
        time.sleep(0.1)
    assert all(len(answer.items) == 20 for answer in answers)
    assert all(shown.item for shown in answers[-1].items)
    assert {Degradation.USER, Degradation.ITEM} <= answers[-1].degraded
    system.redis.start()
    system.await_healthy()


def test_a_killed_recommend_is_back_when_started_again(system: System) -> None:
    system.await_healthy()
    system.services["recommend"].kill()
    with pytest.raises(EcrsError):
        system.ask()
    system.services["recommend"].start()
    system.await_healthy()
