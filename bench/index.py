"""Vector search: exact in process, Milvus Lite, and any Milvus server, in one run, as ratios to exact.

    python -m bench.index [--rows 10000] [--dim 64] [--top-k 100] [--server http://127.0.0.1:19530]

Vectors are random, clustered as items are; recall is of exact search's answers.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from bench.report import machine, percentiles, table
from engine.recall.exact import ExactIndex
from engine.recall.index import IndexUnavailable, VectorIndex
from services.adapters.milvus.build import build_collection
from services.adapters.milvus.collection import Description, collection_name, connect, index_for, is_lite
from services.adapters.milvus.index import MilvusIndex

Vectors = npt.NDArray[np.float32]

_TIMEOUT_S = 5.0
_START_WITHIN_S = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print one table; returns the exit status."""
    options = _parse(argv)
    vectors = clustered(options.rows, options.dim)
    queries = clustered(options.queries, options.dim, seed=1)
    exact = ExactIndex(vectors)
    truth = [exact.search(query, options.top_k, _TIMEOUT_S)[0] for query in queries]
    measured = {"exact, in process": measure(exact, queries, truth, options.top_k)}
    try:
        with milvus_lite() as uri, loaded(uri, vectors) as (kind, index):
            measured[f"Milvus Lite, {kind}"] = measure(index, queries, truth, options.top_k)
        if options.server:
            with loaded(options.server, vectors) as (kind, index):
                measured[f"Milvus server, {kind}"] = measure(index, queries, truth, options.top_k)
    except IndexUnavailable as error:
        sys.stderr.write(f"bench.index: {error}\n")
        return 1
    base = measured["exact, in process"][0]
    print(machine())
    table(
        f"{options.rows} × {options.dim}, top {options.top_k}, {options.queries} searches, one client",
        ("index", "p50 ms", "p99 ms", "p50 / exact", f"recall@{options.top_k}"),
        [
            (name, f"{p50:.2f}", f"{p99:.2f}", f"{p50 / base:.1f}", f"{recall:.3f}")
            for name, (p50, p99, recall) in measured.items()
        ],
    )
    return 0


def measure(
    index: VectorIndex, queries: Vectors, truth: Sequence[npt.NDArray[np.int64]], top_k: int
) -> tuple[float, float, float]:
    """p50 and p99 in ms, and the share of `truth` that was found."""
    for query in queries[:20]:
        index.search(query, top_k, _TIMEOUT_S)
    seconds, found = [], 0
    for query, expected in zip(queries, truth, strict=True):
        started = time.perf_counter()
        rows, _ = index.search(query, top_k, _TIMEOUT_S)
        seconds.append(time.perf_counter() - started)
        found += len(np.intersect1d(rows, expected))
    p50, _, p99 = percentiles(seconds)
    return p50, p99, found / sum(len(expected) for expected in truth)


def clustered(rows: int, dim: int, seed: int = 0) -> Vectors:
    """float32 [rows, dim], L2-normalised, around 100 centres that are the same for every seed."""
    centres = np.random.default_rng(99).standard_normal((100, dim))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, 100, rows)] + 0.7 * rng.standard_normal((rows, dim))
    normalised: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return normalised


@contextlib.contextmanager
def loaded(uri: str, vectors: Vectors) -> Iterator[tuple[str, VectorIndex]]:
    """A collection of our own at `uri`, dropped afterwards: (kind of index, the index)."""
    client = connect(uri, "", _TIMEOUT_S)
    rows, dim = vectors.shape
    params = index_for(rows, lite=is_lite(client))
    description = Description(f"bench-{time.time_ns()}", "bench", dim, rows, index=params["index_type"])
    name = collection_name(description.release)
    try:
        build_collection(client, name, [str(row) for row in range(rows)], vectors, description, params)
        index = MilvusIndex(uri, description)
        index.open()
        yield params["index_type"], index
        index.close()
    finally:
        client.drop_collection(name)
        client.close()


@contextlib.contextmanager
def milvus_lite() -> Iterator[str]:
    """Our embedded Milvus on a free port with its data in a temporary folder: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ecrs-bench-") as folder:
        command = [sys.executable, "-m", "services.embedded.milvus", "--port", str(port), "--dir", folder]
        with subprocess.Popen(command) as program:
            try:
                _await_port(port)
                yield f"http://127.0.0.1:{port}"
            finally:
                program.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise IndexUnavailable("Milvus Lite did not start")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.index", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000, help="vectors, default %(default)s")
    parser.add_argument("--dim", type=int, default=64, help="numbers in each, default %(default)s")
    parser.add_argument("--top-k", type=int, default=100, help="asked for, default %(default)s")
    parser.add_argument("--queries", type=int, default=300, help="searches timed, default %(default)s")
    parser.add_argument("--server", default="", help="address of a Milvus server to measure as well")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
