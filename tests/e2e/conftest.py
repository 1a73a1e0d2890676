"""A headless browser for the tests that drive the pages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support.redis_server import RedisServer

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
"""Needed in containers, and so that the browser itself calls nobody."""
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser on this machine ({', '.join(BROWSERS)}); Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield started
        started.close()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A new visitor's page, in phone and in desktop size; fails when it asks another site for anything."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    hosts: set[str] = set()
    said: list[ConsoleMessage] = []

    def keep(one: ConsoleMessage) -> None:
        said.append(one)

    opened.on("request", lambda sent: hosts.add(sent.url.split("/")[2]))
    opened.on("console", keep)
    yield opened
    context.close()
    assert len(hosts) <= 1, hosts
    # A page that is refused or missing is what some journeys want; a violated policy is not.
    assert [one.text for one in said if one.type == "error" and "status of 40" not in one.text] == []


@pytest.fixture(scope="session")
def fake_shop_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The web tier over fakes of the services, in a process of its own, with a real Redis for what it counts.

    Without a Redis the front end soon stops asking for carts, as it should, and shows none.
    """
    folder = tmp_path_factory.mktemp("shop")
    store = RedisServer(folder / "redis").start()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.fake_shop", str(folder / "state"), store.url],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()
    store.stop()
