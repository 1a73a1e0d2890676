"""The topologies `separate` (the shop) and `together` (beside it, on its stores).

The same answers to the same requests, a list whatever hangs or is killed, and a process that hangs or dies is
replaced.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import numpy as np
import psutil
import pytest
import redis
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from bench.hangs import System, stopped
from engine.errors import EcrsError
from engine.types import Item, Recommendation, RecommendQuery, UserEvent
from engine.vocabulary import Degradation
from scripts.supervision.health import check
from scripts.supervision.parts import Part, parts
from services import bootstrap
from services.common import keys
from services.common.rpc import Target
from services.common.values import now_ms
from services.recommend.client import RecommendClient
from services.settings import ROOT, SERVICES, Settings
from tests.support.congruence import Query, queries, refusal, summary
from tests.support.shop import BACK_WITHIN_S, Shop, free_offset, undegraded

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SHOPPERS = 14


@dataclass
class Topology:
    """A client of one topology's recommend service."""

    name: str
    client: RecommendClient
    user_id: str

    def ask(self, query: Query | None = None) -> Recommendation:
        """One list, within a second."""
        if isinstance(query, str):
            return self.client.similar_items(query, 1.0)
        return self.client.recommend(query or RecommendQuery(user_id=self.user_id), 1.0)

    def answer(self, query: Query) -> tuple[object, list[float]]:
        """What must be the same, and the scores, of an answer that lacks nothing."""
        try:
            found = undegraded(lambda: self.ask(query))
        except EcrsError as error:
            return refusal(error), []
        return summary(found), [one.score for one in found.items]

    def await_well(self) -> None:
        """Wait for a whole list that lacks nothing."""

        def well() -> bool:
            try:
                found = self.ask()
            except EcrsError:
                return False
            return not found.degraded and len(found.items) == 20

        until(well)


@dataclass
class Together:
    """The running processes of `python -m services`."""

    settings: Settings
    pid: int

    def workers(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.pid).children()}

    def parts(self) -> list[Part]:
        return [part for part in parts(self.settings, None) if part.within]

    def is_well(self) -> bool:
        return len(self.workers()) == 2 and not any(check(part) for part in self.parts())


@pytest.fixture(scope="module")
def system(shop: Shop) -> System:
    """The shop's processes."""
    return System(shop_settings(shop))


@pytest.fixture(scope="module")
def together(shop: Shop) -> Iterator[Together]:
    """All services together in two processes, on the shop's Redis, Milvus and PaddleServing."""
    theirs = shop_settings(shop)
    settings = theirs.model_copy(
        update={
            "topology": "together",
            "workers": 2,
            "state_dir": shop.folder / "o",
            "port_offset": free_offset(),
            "redis_url": theirs.redis(),
            "milvus_uri": theirs.milvus(),
            "rank_predictor": theirs.predictor(),
        }
    )
    places = ("state_dir", "artifacts_dir", "port_offset", "redis_url", "milvus_uri", "rank_predictor")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECRS_")}
    environment |= {f"ECRS_{name.upper()}": str(getattr(settings, name)) for name in (*places, "workers")}
    settings.state_dir.mkdir()
    with (settings.state_dir / "log").open("wb") as log:
        program = subprocess.Popen(
            [sys.executable, "-m", "services"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        running = Together(settings, program.pid)
        until(running.is_well, 3 * BACK_WITHIN_S)  # a loaded machine is no failure
        yield running
    finally:
        program.terminate()
        program.wait(20)
    assert not list(settings.state_dir.glob("*.sock"))


@pytest.fixture(scope="module")
def topologies(shop: Shop, together: Together) -> Iterator[list[Topology]]:
    """Both, well at the beginning."""
    settings = {"separate": shop_settings(shop), "together": together.settings}
    user_id = known_shoppers(settings["separate"], 1)[0]
    targets = {name: bootstrap.target(one, "recommend") for name, one in settings.items()}
    made = [Topology(name, RecommendClient(target), user_id) for name, target in targets.items()]
    for one in made:
        one.await_well()
    yield made
    for target in targets.values():
        target.close()


def test_both_topologies_answer_the_same_requests_alike(shop: Shop, topologies: list[Topology]) -> None:
    settings = shop_settings(shop)
    user_ids, items = known_shoppers(settings, SHOPPERS), catalogue(settings)
    users, store = bootstrap.user_service(settings), redis.Redis.from_url(settings.redis())
    separate, together = topologies
    first, gone, hidden = separate.ask(RecommendQuery(user_id=user_ids[0])).items[:3]
    yesterday = now_ms() - 86_400_000
    users.record_user_events([UserEvent(user_ids[0], first.item_id, "dislike", yesterday)], 2.0)
    rows = {key: row for key in row_keys(store, gone.item_id) if (row := store.dump(key))}
    store.delete(*rows)
    tell_of_change(store, gone.item_id)
    client = bootstrap.item_client(settings)
    client.set_availability([hidden.item_id], False, 2.0)
    try:
        time.sleep(2.0)  # both read what cannot be bought once a second
        asked = queries(user_ids, items)
        answers = [(query, separate.answer(query), together.answer(query)) for query in asked]
    finally:
        for key, row in rows.items():
            store.restore(key, 0, row)
        tell_of_change(store, gone.item_id)
        client.set_availability([hidden.item_id], True, 2.0)
        store.close()

    assert len(answers) > 70
    for query, (said, scores), (other, other_scores) in answers:
        assert said == other, query
        np.testing.assert_allclose(scores, other_scores, atol=1e-6, err_msg=str(query))
    (_, (plain, _), _) = answers[0]
    shown = {one[0] for one in plain[0]}
    assert len(shown) == 20
    assert not shown & {first.item_id, gone.item_id, hidden.item_id}


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("milvus", {Degradation.INDEX}),
        ("redis", {Degradation.USER, Degradation.ITEM}),
        ("serving", {Degradation.RANK}),
    ],
)
def test_a_part_that_hangs_and_is_killed_costs_quality_and_never_the_list(
    system: System, topologies: list[Topology], part: str, missing: set[Degradation]
) -> None:
    for one in topologies:
        one.await_well()
    pid = system.pid(part)
    with stopped(pid):
        for one in topologies:
            answers = [timed(one.ask) for _ in range(6)]
            assert all(len(answer.items) == 20 for answer, _ in answers), one.name
            assert max(took for _, took in answers) < 0.9, one.name
            assert missing <= answers[-1][0].degraded, one.name
        os.killpg(pid, signal.SIGKILL)
    assert all(len(one.ask().items) == 20 for one in topologies)
    for one in topologies:
        one.await_well()
    assert system.pid(part) != pid


def test_a_process_that_is_killed_costs_no_list_and_is_replaced(
    together: Together, topologies: list[Topology]
) -> None:
    asked = topologies[1]
    asked.await_well()
    port = together.settings.port("recommend")
    ours = {(one.raddr, one.laddr) for one in psutil.Process().net_connections("tcp") if one.raddr}
    (killed,) = (
        worker
        for worker in together.workers()
        for one in psutil.Process(worker).net_connections("tcp")
        if one.laddr.port == port and (one.laddr, one.raddr) in ours
    )
    os.kill(killed, signal.SIGKILL)
    assert all(len(asked.ask().items) == 20 for _ in range(10))
    until(lambda: killed not in together.workers() and together.is_well())


def test_a_process_that_hangs_is_seen_and_replaced_while_the_other_serves(together: Together) -> None:
    hung = min(together.workers())
    os.kill(hung, signal.SIGSTOP)

    problems = [check(part) for part in together.parts()]
    assert all(problem.count("process") == 1 for problem in problems), problems
    answering = next(number for number in range(2) if f"process {number}" not in problems[0])
    address = next(part.sockets[answering] for part in together.parts() if part.name == "recommend")
    target = Target("recommend", address).open()
    assert len(RecommendClient(target).recommend(RecommendQuery(channels=("popular",)), 2.0).items) == 20
    target.close()
    until(lambda: hung not in together.workers() and together.is_well())


def test_every_port_has_its_own_service_with_health_and_reflection_and_every_process_its_figures(
    together: Together,
) -> None:
    settings = together.settings
    figures = redis.Redis.from_url(settings.redis())
    for name in SERVICES:
        with grpc.insecure_channel(settings.address(name)) as channel:
            listed = ProtoReflectionDescriptorDatabase(channel).get_services()
            (own,) = (one for one in listed if one.startswith("ecrs."))
            health = health_pb2_grpc.HealthStub(channel)
            for asked in ("", own):
                answer = health.Check(health_pb2.HealthCheckRequest(service=asked), timeout=5)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert own == f"ecrs.{name}.v1.{name.title()}Service"
        until(lambda: all(figures.exists(keys.stats(name, pid)) for pid in together.workers()))  # noqa: B023
    figures.close()


def tell_of_change(store: redis.Redis, item_id: str) -> None:
    """As each write of an item does: nothing else deletes the row of an item but a load."""
    store.xadd(keys.CHANGED_ITEMS, {"ids": json.dumps([item_id])})


def shop_settings(shop: Shop) -> Settings:
    """The shop's, as its programs have them."""
    return Settings(
        _env_file=None,
        state_dir=shop.state_dir,
        artifacts_dir=shop.folder / "releases",
        port_offset=shop.offset,
    )


def known_shoppers(settings: Settings, count: int) -> list[str]:
    """The first of the stored ones that have events."""
    users = bootstrap.user_service(settings)
    found, _ = users.list_users(5 * count, "", 5.0)
    known = [one.user_id for one in found if users.list_user_events(one.user_id, 1, "", 5.0)[0]]
    return known[:count]


def catalogue(settings: Settings) -> list[Item]:
    """Some of the items."""
    return bootstrap.item_service(settings).list_items(60, "", 5.0)[0]


def row_keys(store: redis.Redis, item_id: str) -> list[str]:
    """Where an item's row may be."""
    generation = store.hget(keys.GENERATION, "items")
    loaded = generation.decode() if isinstance(generation, bytes) else "0"
    return [keys.live_item(item_id), keys.item(loaded, item_id), keys.original_item(item_id)]


def timed(ask: Callable[[], Recommendation]) -> tuple[Recommendation, float]:
    """An answer, and the seconds it took."""
    started = time.monotonic()
    return ask(), time.monotonic() - started


def until(condition: Callable[[], bool], seconds: float = BACK_WITHIN_S) -> None:
    """Wait for it, for as long as a part may take to be back."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)
