"""Brings a release's vectors into Milvus: idempotent, resumable, complete or not used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pymilvus import DataType, MilvusClient

from engine.recall.index import IndexMismatch, IndexUnavailable
from services.adapters.milvus.collection import FLAT, MILVUS_ERRORS, Description, count_rows, reason

BATCH = 2_000
_INSERT_TIMEOUT_S = 60.0
_CREATE_TIMEOUT_S = 120.0
_ID_BYTES = 256

Progress = Callable[[int, int], None]


def build_collection(
    client: MilvusClient,
    name: str,
    ids: Sequence[str],
    vectors: npt.NDArray[np.float32],
    description: Description,
    index_params: dict[str, Any],
    progress: Progress = lambda done, total: None,
    *,
    replace: bool = False,
) -> int:
    """Make the collection hold exactly these items.

    Rows are written in order, so a collection of n rows is continued at row n; a complete one is left as it
    is. Until it holds all rows, `MilvusIndex` refuses it: readers never see a part.

    Args:
        client: from `services.adapters.milvus.collection.connect`.
        name: of the collection, see `collection_name`.
        ids: item ids [N], unique, at most 256 bytes each.
        vectors: float32 [N, D], L2-normalised; may be memory-mapped.
        description: what to record; its `rows` and `dim` must be N and D.
        index_params: from `index_for`.
        progress: called with (rows there, N) after each batch.
        replace: drop a collection of this name that holds something else, instead of refusing it.

    Returns:
        Rows written by this call.

    Raises:
        ValueError: ids and vectors do not fit each other or the description.
        IndexMismatch: the collection exists and holds something else.
        IndexUnavailable: Milvus does not answer, or lost rows it had acknowledged.
    """
    _check(ids, vectors, description)
    try:
        _create(client, name, description, index_params, replace=replace)
        there = count_rows(client, name, _INSERT_TIMEOUT_S)
        written = _write(client, name, ids, vectors, there, progress)
        found = count_rows(client, name, _INSERT_TIMEOUT_S)
        if found < description.rows and there:
            # What was there before was not the first rows: write all of it again, by key, nothing is doubled.
            written += _write(client, name, ids, vectors, 0, progress)
            found = count_rows(client, name, _INSERT_TIMEOUT_S)
        if written and index_params["index_type"] != FLAT:
            # A server builds the graph over sealed segments only; until then it compares with every new row.
            client.flush(name, timeout=_CREATE_TIMEOUT_S)
    except MILVUS_ERRORS as error:
        raise IndexUnavailable(f"collection {name}: {reason(error)}") from error
    if found != description.rows:
        raise IndexUnavailable(
            f"collection {name} holds {found} rows instead of {description.rows}: load it again"
        )
    return written


def _check(ids: Sequence[str], vectors: npt.NDArray[np.float32], description: Description) -> None:
    if vectors.shape != (len(ids), description.dim) or len(ids) != description.rows:
        raise ValueError(
            f"{len(ids)} ids and vectors {list(vectors.shape)}, "
            f"described as [{description.rows}, {description.dim}]"
        )
    if len(set(ids)) != len(ids):
        raise ValueError("item ids are not unique")
    if too_long := next((one for one in ids if len(one.encode()) > _ID_BYTES), None):
        raise ValueError(f"item id {too_long[:40]}… is longer than {_ID_BYTES} bytes")


def _create(
    client: MilvusClient, name: str, description: Description, index_params: dict[str, Any], *, replace: bool
) -> None:
    if client.has_collection(name, timeout=_CREATE_TIMEOUT_S):
        try:
            held = client.describe_collection(name, timeout=_CREATE_TIMEOUT_S)["description"]
            description.require_same(Description.from_json(held))
        except IndexMismatch as error:
            if not replace:
                raise IndexMismatch(f"collection {name}: {error}; drop it or load with replace") from error
            client.drop_collection(name, timeout=_CREATE_TIMEOUT_S)
        else:
            client.load_collection(name, timeout=_CREATE_TIMEOUT_S)
            return
    schema = MilvusClient.create_schema(
        auto_id=False, enable_dynamic_field=False, description=description.to_json()
    )
    schema.add_field("item_id", DataType.VARCHAR, is_primary=True, max_length=_ID_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=description.dim)
    schema.add_field("row", DataType.INT64)
    index = MilvusClient.prepare_index_params()
    index.add_index(field_name="vector", **index_params)
    # Bounded: a search may miss writes of the last seconds, which is none here, and costs 2 ms instead of
    # 240.
    client.create_collection(
        name, schema=schema, index_params=index, consistency_level="Bounded", timeout=_CREATE_TIMEOUT_S
    )


def _write(
    client: MilvusClient,
    name: str,
    ids: Sequence[str],
    vectors: npt.NDArray[np.float32],
    start: int,
    progress: Progress,
) -> int:
    """Upsert rows from `start`; by key, so that a batch half written by a killed load is not doubled."""
    total = len(ids)
    progress(min(start, total), total)
    for first in range(start, total, BATCH):
        last = min(first + BATCH, total)
        rows = [{"item_id": ids[row], "vector": vectors[row], "row": row} for row in range(first, last)]
        client.upsert(name, rows, timeout=_INSERT_TIMEOUT_S)
        progress(last, total)
    return max(total - start, 0)
