"""A release's vectors in a real Milvus Lite: the answers of exact search, whatever dies."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymilvus import MilvusClient

from engine.recall.exact import ExactIndex
from engine.recall.index import IndexMismatch, IndexUnavailable
from services.adapters.milvus.build import BATCH, build_collection
from services.adapters.milvus.collection import (
    Description,
    collection_name,
    connect,
    count_rows,
    index_for,
    is_lite,
)
from services.adapters.milvus.index import MilvusIndex
from tests.integration.programs import Program, await_true, free_port

pytestmark = pytest.mark.integration

ROWS, DIM = 5_000, 16
RNG = np.random.default_rng(11)
VECTORS = RNG.standard_normal((ROWS, DIM)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
IDS = [f"item {row}" for row in range(ROWS)]
FLAT = index_for(ROWS, lite=True)


def description_of(release: str, rows: int = ROWS) -> Description:
    return Description(release, "f" * 64, dim=DIM, rows=rows)


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("milvus")
    program = Program(
        "services.embedded.milvus", ["--dir", str(folder / "data")], free_port(), folder / "milvus.log"
    )
    program.start()
    yield program
    program.stop()


@pytest.fixture
def uri(milvus: Program) -> str:
    return f"http://{milvus.address}"


@pytest.fixture
def client(uri: str) -> Iterator[MilvusClient]:
    opened = connect(uri, "", 10)
    yield opened
    opened.close()


def load(client: MilvusClient, release: str, rows: int = ROWS) -> int:
    description = description_of(release, rows)
    return build_collection(client, collection_name(release), IDS[:rows], VECTORS[:rows], description, FLAT)


@pytest.fixture
def loaded(client: MilvusClient, uri: str) -> Iterator[MilvusIndex]:
    load(client, "shop-1")
    index = MilvusIndex(uri, description_of("shop-1"))
    index.open()
    yield index
    index.close()


@pytest.mark.parametrize("top_k", [1, 10, 200])
def test_answers_are_those_of_exact_search(loaded: MilvusIndex, top_k: int) -> None:
    for query in VECTORS[:20]:
        rows, scores = loaded.search(query, top_k, timeout_s=5)
        exact_rows, exact_scores = ExactIndex(VECTORS).search(query, top_k, timeout_s=5)
        assert rows.tolist() == exact_rows.tolist()
        np.testing.assert_allclose(scores, exact_scores, rtol=0, atol=1e-5)
        assert rows.dtype == np.int64
        assert scores.dtype == np.float32


@pytest.mark.parametrize("top_k", [1, 10, 200])
def test_answers_are_those_of_pymilvus_own_client(
    client: MilvusClient, loaded: MilvusIndex, top_k: int
) -> None:
    name = collection_name("shop-1")
    for query in RNG.standard_normal((20, DIM)).astype(np.float32):
        rows, scores = loaded.search(query, top_k, timeout_s=5)
        (hits,) = client.search(
            name,
            data=[query],
            anns_field="vector",
            limit=top_k,
            search_params={"metric_type": "IP", "params": {}},
            output_fields=["row"],
        )
        assert rows.tolist() == [hit["entity"]["row"] for hit in hits]
        assert scores.tolist() == [np.float32(hit["distance"]) for hit in hits]


def test_more_than_there_is_gives_all_there_is(client: MilvusClient, uri: str) -> None:
    load(client, "small-1", rows=30)
    index = MilvusIndex(uri, description_of("small-1", rows=30))
    rows, _ = index.search(VECTORS[0], 1_000, timeout_s=5)
    assert sorted(rows.tolist()) == list(range(30))
    index.close()


def test_a_vector_of_another_length_is_the_callers_fault(loaded: MilvusIndex) -> None:
    with pytest.raises(ValueError, match="16 numbers"):
        loaded.search(np.zeros(3, np.float32), 10, timeout_s=5)


def test_milvus_lite_is_recognised(client: MilvusClient) -> None:
    assert is_lite(client)


def test_loading_twice_writes_nothing_the_second_time(client: MilvusClient) -> None:
    load(client, "twice-1")
    assert load(client, "twice-1") == 0
    assert count_rows(client, collection_name("twice-1"), 10) == ROWS


def test_an_interrupted_load_is_not_used_and_is_continued(client: MilvusClient, uri: str) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == BATCH:
            raise KeyboardInterrupt

    description, name = description_of("cut-1"), collection_name("cut-1")
    with pytest.raises(KeyboardInterrupt):
        build_collection(client, name, IDS, VECTORS, description, FLAT, interrupt)
    index = MilvusIndex(uri, description)
    with pytest.raises(IndexMismatch, match=f"holds {BATCH} of {ROWS} rows"):
        index.open()
    assert not index.ready()

    seen: list[tuple[int, int]] = []
    written = build_collection(
        client, name, IDS, VECTORS, description, FLAT, lambda done, total: seen.append((done, total))
    )
    assert written == ROWS - BATCH
    assert seen == [(2_000, ROWS), (4_000, ROWS), (5_000, ROWS)]
    time.sleep(0.6)  # an index that was refused is not asked again at once
    assert index.ready()
    assert index.search(VECTORS[ROWS - 1], 1, timeout_s=5)[0].tolist() == [ROWS - 1]
    index.close()


def test_rows_that_are_not_the_first_ones_are_written_again(client: MilvusClient) -> None:
    load(client, "holes-1")
    name = collection_name("holes-1")
    client.delete(name, filter="row < 10")
    assert count_rows(client, name, 10) == ROWS - 10
    load(client, "holes-1")
    assert count_rows(client, name, 10) == ROWS


@pytest.mark.parametrize("change", [{"fingerprint": "0" * 64}, {"rows": 4_999}])
def test_a_collection_of_other_vectors_is_refused(
    client: MilvusClient, loaded: MilvusIndex, uri: str, change: dict[str, object]
) -> None:
    other = dataclasses.replace(description_of("shop-1"), **change)  # type: ignore[arg-type]
    index = MilvusIndex(uri, other)
    with pytest.raises(IndexMismatch, match="items_shop_1"):
        index.search(VECTORS[0], 10, timeout_s=5)
    index.close()


def test_a_load_over_other_vectors_is_refused_unless_told_to_replace(client: MilvusClient) -> None:
    load(client, "old-1", rows=100)
    name, description = collection_name("old-1"), description_of("old-1", rows=50)
    with pytest.raises(IndexMismatch, match="replace"):
        build_collection(client, name, IDS[:50], VECTORS[:50], description, FLAT)
    assert count_rows(client, name, 10) == 100
    build_collection(client, name, IDS[:50], VECTORS[:50], description, FLAT, replace=True)
    assert count_rows(client, name, 10) == 50


def test_ids_that_are_not_unique_are_refused(client: MilvusClient) -> None:
    with pytest.raises(ValueError, match="not unique"):
        build_collection(client, "items_x", ["a", "a"], VECTORS[:2], description_of("x", rows=2), FLAT)


def test_a_missing_collection_says_what_to_do(uri: str) -> None:
    index = MilvusIndex(uri, description_of("never-loaded"))
    with pytest.raises(IndexUnavailable, match=r"items_never_loaded .*to_milvus"):
        index.open()
    index.close()


def test_nobody_at_the_address_is_unavailable_quickly() -> None:
    index = MilvusIndex(f"http://127.0.0.1:{free_port()}", description_of("shop-1"))
    started = time.monotonic()
    with pytest.raises(IndexUnavailable):
        index.search(VECTORS[0], 10, timeout_s=0.5)
    assert not index.ready()
    assert time.monotonic() - started < 2.0
    index.close()


def test_a_milvus_that_hangs_costs_no_more_than_the_deadline(milvus: Program, loaded: MilvusIndex) -> None:
    (engine,) = children(milvus.pid)
    os.kill(engine, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(IndexUnavailable):
            loaded.search(VECTORS[0], 10, timeout_s=0.3)
        assert time.monotonic() - started < 1.0
    finally:
        os.kill(engine, signal.SIGCONT)
    await_true(loaded.ready, 10, lambda: "not ready after it went on")


@pytest.mark.parametrize("victim", ["program", "engine"])
def test_killed_and_started_again_nothing_is_lost(
    milvus: Program, client: MilvusClient, loaded: MilvusIndex, victim: str
) -> None:
    (engine,) = children(milvus.pid)
    if victim == "program":
        milvus.kill()  # its engine must go with it
    else:
        os.kill(engine, signal.SIGKILL)
        assert milvus.process is not None
        assert milvus.process.wait(10) == 1  # so that the supervisor starts it again
        assert "the engine ended with status -9" in milvus.log.read_text()
    await_true(lambda: not Path(f"/proc/{engine}").exists(), 5, lambda: "the engine outlived its program")
    started = time.monotonic()
    with pytest.raises(IndexUnavailable):
        loaded.search(VECTORS[0], 10, timeout_s=0.5)
    assert time.monotonic() - started < 1.0
    milvus.start()
    await_true(loaded.ready, 10, lambda: "not ready after the restart")
    for query in VECTORS[:5]:
        rows, _ = loaded.search(query, 100, timeout_s=5)
        assert rows.tolist() == ExactIndex(VECTORS).search(query, 100, timeout_s=5)[0].tolist()


def children(pid: int) -> list[int]:
    """Process ids of the program's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
