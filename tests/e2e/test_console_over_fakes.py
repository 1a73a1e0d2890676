"""The console in a real browser: the real web tier, its clients and the services' servers, over fakes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from services.common.rpc import App, Server
from services.item.server import servicer as item_servicer
from services.rank.server import servicer as rank_servicer
from services.recall.server import servicer as recall_servicer
from services.recommend.server import servicer as recommend_servicer
from services.user.server import servicer as user_servicer
from tests.e2e import console_journeys as journeys
from tests.support.redis_server import RedisServer, free_port
from tests.unit.webapp.console.world import make_world
from tests.unit.webapp.fake_stores import DATASET_TOML

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a front end: five servers over one world, and a Redis."""
    state, world = tmp_path_factory.mktemp("console"), make_world()
    (state / "demo").mkdir()
    (state / "demo" / "dataset.toml").write_text(DATASET_TOML, encoding="utf-8")
    parts = {
        "user": user_servicer(world.user),
        "item": item_servicer(world.item),
        "recall": recall_servicer(world.recall),
        "rank": rank_servicer(world.rank),
        "recommend": recommend_servicer(world.recommend),
    }
    with ExitStack() as stack:
        store = RedisServer(state / "redis", "everysec").start()
        stack.callback(store.stop)
        found = {
            "STATE_DIR": str(state),
            "PREPARED_DIR": str(state),
            "ARTIFACTS_DIR": str(state / "artifacts"),
            "DATASET": "demo",
            "REDIS_URL": store.url,
            "MILVUS_URI": f"http://127.0.0.1:{free_port()}",
        }
        for name, part in parts.items():
            app = App(name, [part], ready=lambda: None, close=lambda: None)
            server = Server(app, "127.0.0.1", 0, default_deadline_s=5.0).start()
            stack.callback(server.stop, 0.2)
            found[f"{name.upper()}_ADDRESS"] = f"127.0.0.1:{server.port}"
        yield {f"ECRS_{name}": value for name, value in found.items()}


def front_end(settings: dict[str, str], *arguments: str) -> Iterator[str]:
    """A front end in a process of its own; its address."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "webapp", "--port", str(port), *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
        process.terminate()


@pytest.fixture(scope="module")
def console_url(settings: dict[str, str]) -> Iterator[str]:
    yield from front_end(settings)


@pytest.fixture(scope="module")
def guarded_url(settings: dict[str, str]) -> Iterator[str]:
    """A front end that listens on every address, and so asks for the password."""
    yield from front_end(
        {**settings, "ECRS_CONSOLE_PASSWORD": PASSWORD},
        "--bind",
        "0.0.0.0",  # noqa: S104
    )


def test_a_developer_goes_through_all_stages(page: Page, console_url: str) -> None:
    journeys.through_all_stages(page, console_url, "1")


def test_a_developer_looks_at_a_new_user(page: Page, console_url: str) -> None:
    journeys.a_new_user_by_the_form(page, console_url)


def test_a_developer_looks_up_a_user_and_mistypes_one(page: Page, console_url: str) -> None:
    journeys.a_user_and_a_mistake(page, console_url, "1")


def test_the_overview_renews_itself(page: Page, console_url: str) -> None:
    journeys.the_overview_renews_itself(page, console_url)


def test_off_loopback_the_password_opens_it_and_signing_out_closes_it(page: Page, guarded_url: str) -> None:
    page.goto(f"{guarded_url}/console/rank?user_id=1")
    journeys.looks_well(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rank")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(f"{guarded_url}/console/")
    expect(page.get_by_label("Password")).to_be_visible()


def test_everything_works_without_javascript(browser: Browser, console_url: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{console_url}/console/recall?user_id=1")
    page.get_by_role("link", name="Score").click()
    page.locator("nav.pages").get_by_role("link", name="2").click()
    expect(page.locator("#found caption")).to_contain_text("26–50")
    page.goto(f"{console_url}/console/")
    page.locator("a.refresh").click()
    expect(page.locator("table.parts")).to_be_visible()
    context.close()
