"""Rows per second of loading item vectors into Milvus Lite, as a ratio to a bare pymilvus insert.

    python -m bench.vector_loading [--rows 15000] [--dim 64] [--rounds 5]

Protocol: a Milvus Lite of its own; in each round the same rows go into a new collection twice: by
`build_collection` (what `scripts.to_milvus` calls: schema, index, description, upsert by key, counts) and
by pymilvus alone (the same schema and index, rows ready in memory, insert in equal batches). Medians.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from pymilvus import DataType, MilvusClient

from bench import report
from bench.index import Vectors, clustered, milvus_lite
from services.adapters.milvus.build import BATCH, build_collection
from services.adapters.milvus.collection import Description, collection_name, connect, index_for

_TIMEOUT_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.vector_loading", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=15_000, help="vectors, default %(default)s")
    parser.add_argument("--dim", type=int, default=64, help="numbers in each, default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    options = parser.parse_args(argv)
    vectors = clustered(options.rows, options.dim)
    ids = [str(row) for row in range(options.rows)]
    ours, bare = [], []
    with milvus_lite() as uri:
        client = connect(uri, "", _TIMEOUT_S)
        for _ in range(options.rounds):
            ours.append(options.rows / _ours(client, ids, vectors))
            bare.append(options.rows / _bare(client, ids, vectors))
        client.close()
    print(report.machine())
    report.table(
        f"Loading Milvus Lite: {options.rows:,} × {options.dim}, median of {options.rounds} rounds",
        ("way", "rows/s", "of bare"),
        [
            ("bare pymilvus insert", f"{report.median(bare):,.0f}", "1.00"),
            (
                "build_collection",
                f"{report.median(ours):,.0f}",
                f"{report.median(ours) / report.median(bare):.2f}",
            ),
        ],
    )
    return 0


def _ours(client: MilvusClient, ids: Sequence[str], vectors: Vectors) -> float:
    rows, dim = vectors.shape
    params = index_for(rows, lite=True)
    description = Description(f"bench-{time.time_ns()}", "bench", dim, rows, index=params["index_type"])
    name = collection_name(description.release)
    began = time.perf_counter()
    build_collection(client, name, ids, vectors, description, params)
    seconds = time.perf_counter() - began
    client.drop_collection(name)
    return seconds


def _bare(client: MilvusClient, ids: Sequence[str], vectors: Vectors) -> float:
    rows = [{"item_id": ids[row], "vector": vectors[row], "row": row} for row in range(len(ids))]
    name = f"bare_{time.time_ns()}"
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("item_id", DataType.VARCHAR, is_primary=True, max_length=256)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
    schema.add_field("row", DataType.INT64)
    index = MilvusClient.prepare_index_params()
    index.add_index(field_name="vector", **index_for(len(ids), lite=True))
    began = time.perf_counter()
    client.create_collection(name, schema=schema, index_params=index, timeout=_TIMEOUT_S)
    for first in range(0, len(rows), BATCH):
        client.insert(name, rows[first : first + BATCH], timeout=_TIMEOUT_S)
    seconds = time.perf_counter() - began
    client.drop_collection(name)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
