"""The Milvus collection of a release: name, description, index, and the one way to connect.

    item_id VARCHAR (key) | vector FLOAT_VECTOR [D] | row INT64

Its description is JSON: `{release, fingerprint, metric, dim, index, rows}`. It is complete when it holds
`rows` rows.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import Any

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from engine.recall.index import IndexMismatch, IndexUnavailable

MILVUS_ERRORS = (MilvusException, grpc.RpcError)
"""What a failing call raises: pymilvus lets some of gRPC's own errors through, deadlines among them."""

GRPC_OPTIONS = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    "grpc.enable_retries": 0,
    # pymilvus pings each ten seconds, calls or not, until Milvus Lite hangs up: GOAWAY, too_many_pings.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.keepalive_permit_without_calls": 0,
    # A killed Milvus is back within seconds; the default backoff grows to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
}
"""Of every channel to Milvus."""

METRIC = "IP"
FLAT, HNSW = "FLAT", "HNSW"

FLAT_UP_TO = 10_000
"""Rows up to which comparing with every vector is as fast as a graph, and exact."""

_VERY_LARGE = 1_000_000


@dataclass(frozen=True)
class Description:
    """What a collection says it holds.

    Attributes:
        release: the release's name.
        fingerprint: of its feature schema.
        dim: numbers in a vector.
        rows: items when complete.
        index: FLAT or HNSW.
        metric: IP.
    """

    release: str
    fingerprint: str
    dim: int
    rows: int
    index: str = FLAT
    metric: str = METRIC

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Description:
        """Raises `IndexMismatch` for a collection that is not ours."""
        try:
            fields = json.loads(text)
            return cls(**{name: kind(fields[name]) for name, kind in _FIELDS.items()})
        except (ValueError, KeyError, TypeError) as error:
            raise IndexMismatch(f"its description is not ECRS's: {text[:100]!r}") from error

    def require_same(self, other: Description) -> None:
        """Raise `IndexMismatch` unless `other` holds the same vectors; the kind of index may differ."""
        mine, theirs = asdict(self), asdict(other)
        differing = [name for name in _FIELDS if name != "index" and mine[name] != theirs[name]]
        if differing:
            what = ", ".join(f"{name} {theirs[name]!r} instead of {mine[name]!r}" for name in differing)
            raise IndexMismatch(f"it holds {what}")


_FIELDS: dict[str, type] = {
    "release": str,
    "fingerprint": str,
    "dim": int,
    "rows": int,
    "index": str,
    "metric": str,
}


def collection_name(release: str) -> str:
    """`items_<release>`; Milvus allows letters, digits and underscores only."""
    return "items_" + release.replace("-", "_")


def connect(uri: str, token: str, timeout_s: float) -> MilvusClient:
    """A connection of our own to Milvus. Raises `IndexUnavailable`.

    Also silences pymilvus's log, which prints a stack trace for each failed call before raising it.
    """
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    try:
        return MilvusClient(uri, token=token, timeout=timeout_s, dedicated=True, grpc_options=GRPC_OPTIONS)
    except (*MILVUS_ERRORS, ValueError) as error:  # ValueError: a malformed address
        raise IndexUnavailable(f"Milvus at {uri}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """One line of an error of `MILVUS_ERRORS`."""
    text = error.message if isinstance(error, MilvusException) else error
    if isinstance(error, grpc.Call):
        text = f"{error.code().name}: {error.details()}"
    return (str(text).strip() or type(error).__name__).splitlines()[0][:300]


def is_lite(client: MilvusClient) -> bool:
    """Whether this is Milvus Lite, which alone cannot tell its version and knows no graph index.

    Raises:
        IndexUnavailable: nobody answers.
    """
    try:
        client.get_server_version(timeout=5.0)
    except MILVUS_ERRORS as error:
        if "UNIMPLEMENTED" in reason(error):
            return True
        raise IndexUnavailable(f"Milvus does not tell its version: {reason(error)}") from error
    return False


def index_for(rows: int, *, lite: bool) -> dict[str, Any]:
    """Index type and build parameters by size, see docs/adr/0022-vector-index.md."""
    if lite or rows <= FLAT_UP_TO:
        return {"index_type": FLAT, "metric_type": METRIC, "params": {}}
    return {"index_type": HNSW, "metric_type": METRIC, "params": {"M": 16, "efConstruction": 200}}


def search_params(index: str, rows: int, top_k: int) -> dict[str, Any]:
    """Search parameters of an index: HNSW looks at `ef` candidates, never fewer than asked for."""
    if index != HNSW:
        return {"metric_type": METRIC, "params": {}}
    return {"metric_type": METRIC, "params": {"ef": max(512 if rows >= _VERY_LARGE else 256, top_k)}}


def count_rows(client: MilvusClient, name: str, timeout_s: float) -> int:
    """Rows in the collection, acknowledged ones included. Raises `MILVUS_ERRORS`."""
    answer = client.query(
        name, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=timeout_s
    )
    return int(answer[0]["count(*)"])
