"""Releases are switched and data is loaded under lists, writes and deletions: nothing fails or is undone."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.release import set_current
from engine.types import RecommendQuery
from services.common.rpc import Target
from services.item.client import ItemClient
from services.recommend.client import RecommendClient
from services.user.client import UserClient
from tests.integration.loads import load, prepared
from tests.integration.programs import await_true
from tests.support.releases import N_ITEMS, write_release
from tests.support.repeated import Repeated
from tests.support.served import served
from tests.support.writers import Writers

pytestmark = pytest.mark.integration

T = 5.0
NAMES = ("tiny-20240101T000000Z", "tiny-20240102T000000Z")
USERS = [f"u{number}" for number in range(30)]


def data(folder: Path, brand: str) -> Path:
    """Prepared data of the tiny release's items, and of users of its own."""
    prepared(folder, n_items=N_ITEMS, brand=brand, gone=["i7"])
    users = {"user_id": USERS, "age": ["loaded"] * len(USERS), "visits": [1.0] * len(USERS)}
    pq.write_table(pa.table(users), folder / "users.parquet")
    return folder


def test_ten_switches_and_loads_under_writes_and_deletions_undo_nothing(tmp_path: Path) -> None:
    loads = [data(tmp_path / brand, brand) for brand in ("v1", "v2")]
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    write_release(artifacts, NAMES[1], seed=6)
    with served(artifacts, lambda folder: write_release(folder, NAMES[0])) as addresses, ExitStack() as stack:
        redis_url = f"redis://{addresses['redis']}/0"
        assert load(redis_url, "--data", loads[0]) == 0
        opened = {name: Target(name, addresses[name]).open() for name in ("user", "item", "recommend")}
        for target in opened.values():
            stack.callback(target.close)
        users, items = UserClient(opened["user"]), ItemClient(opened["item"])
        item_ids = [f"i{number}" for number in range(0, N_ITEMS, 4)]
        recommend, releases = RecommendClient(opened["recommend"]), [""]

        def ask() -> None:
            page = recommend.recommend(RecommendQuery("5", page_size=5), T)
            assert len(page.items) == 5
            releases.append(page.release)

        asking = Repeated(ask, pause_s=0.01)
        with asking, Writers(users, items, USERS, item_ids, pause_s=0.01) as told:
            for number in range(10):
                name = NAMES[(number + 1) % 2]
                set_current(name, artifacts)
                assert load(redis_url, "--data", loads[(number + 1) % 2]) == 0
                await_true(lambda name=name: releases[-1] == name, 15.0, lambda: "no list of the new release")
                time.sleep(0.1)
        assert asking.failures == []
        assert asking.answers > 50
        told.assert_all_as_written()
        untouched = items.get_item(f"i{N_ITEMS - 1}", T)
        assert untouched.brand == "v1"
