"""Keeping the current release loaded."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.errors import ReleaseNotLoaded
from services.common.keys import RELEASE
from services.common.redis import connect
from services.common.release_store import ReleaseStore
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.unit


class Loaded:
    """What a loader makes of a folder."""

    def __init__(self, folder: Path) -> None:
        self.text = (folder / "content").read_text("utf-8")
        self.warm = self.closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True

    def warm_up(self) -> None:
        self.warm = True


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    for name in ("r1", "r2", "r3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(f"content of {name}", "utf-8")
    return tmp_path


@pytest.fixture
def store(artifacts: Path) -> Iterator[ReleaseStore[Loaded]]:
    made = ReleaseStore(artifacts, Loaded, warm=Loaded.warm_up, close=Loaded.close, poll_s=0.02)
    yield made
    made.close()


def make_current(artifacts: Path, name: str) -> None:
    (artifacts / "current").write_text(name + "\n", "utf-8")


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_without_a_release_the_reason_is_told(store: ReleaseStore[Loaded]) -> None:
    store.open()
    with pytest.raises(ReleaseNotLoaded, match="make train"):
        store.get()
    with pytest.raises(ReleaseNotLoaded, match="'r9' is not loaded"):
        store.get("r9")


def test_the_current_release_is_loaded_warm_at_open(store: ReleaseStore[Loaded], artifacts: Path) -> None:
    make_current(artifacts, "r1")
    store.open()
    assert store.current == "r1"
    assert store.get().text == "content of r1"
    assert store.get("r1").warm


def test_a_new_release_is_swapped_in_and_the_one_before_stays_for_pinned_requests(
    store: ReleaseStore[Loaded], artifacts: Path
) -> None:
    make_current(artifacts, "r1")
    store.open()
    make_current(artifacts, "r2")
    assert wait_for(lambda: store.current == "r2")
    assert store.get().text == "content of r2"
    assert store.get("r1").text == "content of r1"
    make_current(artifacts, "r3")
    assert wait_for(lambda: store.current == "r3")
    with pytest.raises(ReleaseNotLoaded):
        store.get("r1")


def test_an_old_release_is_freed_after_its_last_request(store: ReleaseStore[Loaded], artifacts: Path) -> None:
    make_current(artifacts, "r1")
    store.open()
    in_use = store.get()
    reference = weakref.ref(in_use)
    for name in ("r2", "r3"):
        make_current(artifacts, name)
        store.refresh()
    assert in_use.text == "content of r1"
    del in_use
    gc.collect()
    assert reference() is None


def test_what_is_dropped_is_closed_after_the_last_request_that_may_use_it(
    store: ReleaseStore[Loaded], artifacts: Path
) -> None:
    make_current(artifacts, "r1")
    store.open()
    loaded = {}
    begun: dict[str, ExitStack] = {}
    for name in ("r1", "r2", "r3"):
        make_current(artifacts, name)
        store.refresh()
        begun[name] = ExitStack()
        begun[name].enter_context(store.reading())
        loaded[name] = store.get()
    store.close()

    assert not any(one.closed for one in loaded.values())
    begun["r2"].close()
    assert not loaded["r1"].closed  # the request that began with r1 is still in progress
    begun["r1"].close()
    assert loaded["r1"].closed
    assert not loaded["r3"].closed  # kept by its own request only
    begun["r3"].close()
    assert all(one.closed for one in loaded.values())


def test_the_release_before_stays_open_and_the_one_before_that_is_closed_at_once_without_requests(
    store: ReleaseStore[Loaded], artifacts: Path
) -> None:
    loaded = []
    for name in ("r1", "r2", "r3"):
        make_current(artifacts, name)
        store.refresh()
        loaded.append(store.get())

    assert [one.closed for one in loaded] == [True, False, False]
    make_current(artifacts, "r1")
    store.refresh()
    assert store.get() is not loaded[0]
    assert [one.closed for one in loaded] == [True, True, False]


def test_a_release_that_does_not_warm_is_closed(artifacts: Path) -> None:
    made: list[Loaded] = []

    def fail(loaded: Loaded) -> None:
        made.append(loaded)
        raise ValueError("cold")

    store = ReleaseStore(artifacts, Loaded, warm=fail, close=Loaded.close)
    make_current(artifacts, "r1")
    store.refresh()

    assert [one.closed for one in made] == [True]


def test_no_request_sees_a_closed_release_while_releases_change(
    store: ReleaseStore[Loaded], artifacts: Path
) -> None:
    make_current(artifacts, "r1")
    store.open()
    seen: list[bool] = []
    stop = threading.Event()

    def request() -> None:
        while not stop.is_set():
            with store.reading():
                loaded = store.get()
                time.sleep(0.001)
                seen.append(loaded.closed)

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        make_current(artifacts, f"r{number % 3 + 1}")
        store.refresh()
    stop.set()
    for thread in threads:
        thread.join()

    assert seen
    assert not any(seen)


def test_a_roll_back_uses_what_is_still_loaded(store: ReleaseStore[Loaded], artifacts: Path) -> None:
    make_current(artifacts, "r1")
    store.open()
    first = store.get()
    for name in ("r2", "r1"):
        make_current(artifacts, name)
        store.refresh()
    assert store.get() is first


@pytest.mark.parametrize("name", ["missing", "../escape", "broken"])
def test_a_release_that_cannot_be_loaded_changes_nothing(
    store: ReleaseStore[Loaded], artifacts: Path, name: str
) -> None:
    (artifacts / "broken").mkdir()
    make_current(artifacts, "r1")
    store.open()
    make_current(artifacts, name)
    store.refresh()
    assert store.current == "r1"
    make_current(artifacts, "r2")
    store.refresh()
    assert store.current == "r2"


def test_readers_never_miss_while_releases_change(store: ReleaseStore[Loaded], artifacts: Path) -> None:
    make_current(artifacts, "r1")
    store.open()
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                store.get()
            except ReleaseNotLoaded as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        make_current(artifacts, f"r{number % 3 + 1}")
        store.refresh()
    stop.set()
    reader.join()
    assert failures == []


@pytest.mark.integration
def test_redis_names_the_release_and_the_file_does_while_redis_is_away(
    artifacts: Path, redis_server: RedisServer
) -> None:
    client = connect(redis_server.url)
    client.set(RELEASE, "r2")
    make_current(artifacts, "r1")
    store = ReleaseStore(artifacts, Loaded, client)
    store.refresh()
    assert store.current == "r2"
    redis_server.kill()
    store.refresh()
    assert store.current == "r2"  # what was named last goes on
    fresh = ReleaseStore(artifacts, Loaded, client)
    fresh.refresh()
    assert fresh.current == "r1"
