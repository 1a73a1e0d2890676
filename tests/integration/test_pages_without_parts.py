"""A front end on real services and a real Redis, under load: one part is killed or hangs, and pages go on."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.release import set_current
from engine.types import Item
from services import bootstrap
from services.settings import Settings
from tests.integration.programs import Program, await_true, free_port
from tests.support.page_load import PageLoad
from tests.support.redis_server import RedisServer
from tests.support.releases import leaf, write_release

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SERVICES = ("user", "item", "recall", "rank", "recommend")
ITEMS = 60
AWAY_S = 4.0
SLOWEST_S = 5.0
PATHS = [
    path
    for number in range(ITEMS)
    for path in (
        f"/items/i{number}",
        f"/api/v1/recommendations?user_id=u{number}&page_size=5",
        f"/search?q=item&min={number % 5}",
        f"/api/v1/items/i{number}/similar?page_size=5",
        f"/c/department{number % 3}",
        f"/api/v1/items/i{number}",
        "/",
    )
]


@dataclass
class System:
    """What runs."""

    redis: RedisServer
    programs: dict[str, Program]

    @property
    def url(self) -> str:
        return f"http://{self.programs['web'].address}"

    def marks(self, path: str) -> tuple[int, str]:
        """Status of a page, and what of it is stale."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own address
                return answer.status, answer.headers.get("X-ECRS-Stale", "")
        except OSError as error:
            return 0, str(error)

    def await_fresh(self) -> None:
        """Wait until all pages are as of now."""
        paths = ("/items/i1", "/api/v1/recommendations?user_id=u1", "/search?q=item", "/")
        await_true(
            lambda: all(self.marks(path) == (200, "") for path in paths),
            30,
            lambda: f"still not fresh: {[self.marks(path) for path in paths]}",
        )

    def away(self, name: str, how: str) -> Callable[[], None]:
        """Take a part away; what brings it back."""
        if name == "redis":
            (self.redis.kill if how == "kill" else self.redis.pause)()
            return (lambda: [self.redis.start(), None][1]) if how == "kill" else self.redis.resume
        program = self.programs[name]
        assert program.process is not None
        if how == "kill":
            program.kill()
            return program.start
        program.process.send_signal(signal.SIGSTOP)
        return lambda: program.process.send_signal(signal.SIGCONT) if program.process else None


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("pages")
    set_current(write_release(folder / "artifacts").name, folder / "artifacts")
    (folder / "demo").mkdir()
    (folder / "demo" / "dataset.toml").write_text('[dataset]\nname = "demo"\ntitle = "Corner Market"\n')
    store = RedisServer(folder / "redis", fsync="everysec").start()
    _write_items(store.url)
    programs = {name: _program(f"services.{name}", folder) for name in SERVICES}
    programs["web"] = _program("webapp", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECRS_REDIS_URL", store.url)
        patch.setenv("ECRS_STATE_DIR", str(folder / "state"))
        patch.setenv("ECRS_PREPARED_DIR", str(folder))
        patch.setenv("ECRS_DATASET", "demo")
        patch.setenv("ECRS_ARTIFACTS_DIR", str(folder / "artifacts"))
        patch.setenv("ECRS_MILVUS_URI", f"http://127.0.0.1:{free_port()}")  # away: searched exactly
        patch.setenv("ECRS_RANK_PREDICTOR", "onnx://")
        for name in SERVICES:
            patch.setenv(f"ECRS_{name.upper()}_ADDRESS", programs[name].address)
        for program in programs.values():
            program.start()
        try:
            yield System(store, programs)
        finally:
            for program in reversed(programs.values()):
                program.stop()
            store.stop()


def _program(module: str, folder: Path) -> Program:
    return Program(module, [], free_port(), folder / f"{module}.log")


def _write_items(redis_url: str) -> None:
    items = bootstrap.item_service(Settings.model_validate({"_env_file": None, "redis_url": redis_url}))
    items.upsert_items(
        [
            Item(f"i{row}", f"Item {row}", (f"department{row % 3}", leaf(row)), price=1.0 + row % 50)
            for row in range(300)
        ],
        5.0,
    )


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize("name", ["item", "redis", "recommend"])
def test_no_page_fails_while_a_part_is_away(system: System, name: str, how: str) -> None:
    system.await_fresh()
    with PageLoad(system.url, PATHS) as load:
        time.sleep(2.0)
        came_back = system.away(name, how)
        time.sleep(AWAY_S)
        during = len(load.answers)
        came_back()
        time.sleep(1.0)

    assert load.failures == []
    assert during > 40
    assert any(answer.stale for answer in load.answers)
    assert max(answer.took_s for answer in load.answers) < SLOWEST_S
    system.await_fresh()


def test_a_cart_says_that_it_cannot_be_read_while_redis_hangs(system: System) -> None:
    system.await_fresh()
    came_back = system.away("redis", "stop")
    try:
        began = time.monotonic()
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{system.url}/cart", headers={"Accept": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)  # noqa: S310 - our own address
    finally:
        came_back()
    assert time.monotonic() - began < 2.0
    assert refused.value.code == 503
    assert "cart" in json.loads(refused.value.read())["detail"]
