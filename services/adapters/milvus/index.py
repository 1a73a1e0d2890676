"""Search in Milvus: Lite on loopback or any server, the same code."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import grpc
import numpy as np
from pymilvus import MilvusClient
from pymilvus.client.connection_manager import ConnectionConfig
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc

from engine.recall.index import IndexMismatch, IndexUnavailable, Rows, Scores, Vector
from services.adapters.milvus.collection import (
    GRPC_OPTIONS,
    MILVUS_ERRORS,
    Description,
    collection_name,
    connect,
    count_rows,
    reason,
    search_params,
)

_CONNECT_TIMEOUT_S = 2.0
_READY_TIMEOUT_S = 1.0
_RETRY_EVERY_S = 0.5
_EVENTUALLY = (
    1  # guarantee timestamp of a search that waits for no write: nothing is written to a collection in use
)


class MilvusIndex:
    """The collection of one release.

    Nothing is used unchecked: after connecting, and again after every failure, the collection must describe
    this release's vectors and hold all of them. One thread connects and checks; the others fail at once
    meanwhile.
    """

    def __init__(self, uri: str, expected: Description, *, token: str = "") -> None:
        """Args:
        uri: `http://host:port` of Milvus or Milvus Lite.
        expected: what the collection must hold; its `index` is not compared.
        token: `user:password` or an API key, if Milvus asks for one.
        """
        self._uri = uri
        self._token = token
        self._expected = expected
        self._name = collection_name(expected.release)
        self._channel: grpc.Channel | None = None
        self._search: Callable[..., Any] | None = None
        self._checked: Description | None = None
        self._connecting = threading.Lock()
        self._next_try = 0.0

    def open(self) -> None:
        """See `VectorIndex.open`."""
        self._next_try = 0.0
        self._prepare(_CONNECT_TIMEOUT_S)

    def close(self) -> None:
        """See `VectorIndex.close`."""
        channel, self._channel, self._search, self._checked = self._channel, None, None, None
        if channel is not None:
            channel.close()

    def ready(self) -> bool:
        """See `VectorIndex.ready`."""
        try:
            self.search(np.zeros(self._expected.dim, np.float32), 1, _READY_TIMEOUT_S)
        except IndexUnavailable:
            return False
        return True

    def search(self, vector: Vector, top_k: int, timeout_s: float) -> tuple[Rows, Scores]:
        """See `VectorIndex.search`."""
        if vector.shape != (self._expected.dim,):
            raise ValueError(
                f"vector of shape {vector.shape}, the index holds {self._expected.dim} numbers each"
            )
        started = time.monotonic()
        ask, held = self._prepare(timeout_s)
        left = timeout_s - (time.monotonic() - started)
        if left <= 0:
            raise IndexUnavailable("no time left to search")
        request = milvus_pb2.SearchRequest()
        request.CopyFrom(_request(self._name, min(top_k, held.rows), held))
        request.placeholder_group = _placeholder(vector)
        try:
            answer = ask(request, timeout=left)
        except (grpc.RpcError, ValueError) as error:  # ValueError: the channel was closed meanwhile
            self._checked = None
            raise IndexUnavailable(f"Milvus at {self._uri}: {reason(error)}") from error
        if answer.status.code or answer.status.error_code:
            self._checked = None
            raise IndexUnavailable(f"Milvus at {self._uri}: {answer.status.reason}")
        found = answer.results
        (field,) = (field for field in found.fields_data if field.field_name == "row")
        count = len(found.scores)
        return (
            np.fromiter(field.scalars.long_data.data, np.int64, count),
            np.fromiter(found.scores, np.float32, count),
        )

    def _prepare(self, timeout_s: float) -> tuple[Callable[..., Any], Description]:
        """The call and the checked collection. Raises `IndexUnavailable`, `IndexMismatch`."""
        ask, held = self._search, self._checked
        if ask is not None and held is not None:
            return ask, held
        if not self._connecting.acquire(blocking=False):
            raise IndexUnavailable(f"Milvus at {self._uri}: another thread is connecting")
        try:
            if time.monotonic() < self._next_try:
                raise IndexUnavailable(f"Milvus at {self._uri}: it did not answer just now")
            self._next_try = time.monotonic() + _RETRY_EVERY_S
            timeout_s = min(timeout_s, _CONNECT_TIMEOUT_S)
            client = connect(self._uri, self._token, timeout_s)
            try:
                held = self._check(client, timeout_s)
            finally:
                client.close()
            if self._search is None:
                self._channel, self._search = _open_search(self._uri, self._token)
            self._checked = held
            return self._search, held
        finally:
            self._connecting.release()

    def _check(self, client: MilvusClient, timeout_s: float) -> Description:
        where = f"collection {self._name} at {self._uri}"
        try:
            if not client.has_collection(self._name, timeout=timeout_s):
                raise IndexUnavailable(f"{where} does not exist: run scripts/to_milvus.py")
            held = Description.from_json(
                client.describe_collection(self._name, timeout=timeout_s)["description"]
            )
            self._expected.require_same(held)
            rows = count_rows(client, self._name, timeout_s)
        except IndexMismatch as error:
            raise IndexMismatch(f"{where}: {error}") from error
        except MILVUS_ERRORS as error:
            raise IndexUnavailable(f"{where}: {reason(error)}") from error
        if rows != held.rows:
            raise IndexMismatch(f"{where} holds {rows} of {held.rows} rows: run scripts/to_milvus.py again")
        return held


def _open_search(uri: str, token: str) -> tuple[grpc.Channel, Callable[..., Any]]:
    """A channel of our own to Milvus, and the generated stub's Search on it with what Milvus asks for.

    pymilvus's client costs 0.6 ms of CPU time a search on top of it.
    """
    place = ConnectionConfig.from_uri(uri, token=token)
    options = list(GRPC_OPTIONS.items())
    if place.get_handler_kwargs().get("secure"):
        channel = grpc.secure_channel(place.address, grpc.ssl_channel_credentials(), options)
    else:
        channel = grpc.insecure_channel(place.address, options)
    metadata = []
    if place.token:
        metadata.append(("authorization", base64.b64encode(place.token.encode()).decode()))
    if place.db_name:
        metadata.append(("dbname", place.db_name))
    return channel, partial(milvus_pb2_grpc.MilvusServiceStub(channel).Search, metadata=tuple(metadata))


@lru_cache(maxsize=512)  # as many limits are asked for as filters make
def _request(name: str, limit: int, held: Description) -> milvus_pb2.SearchRequest:
    """A search for `limit` items, but for its vector, as pymilvus writes it."""
    return Prepare.search_requests_with_expr(
        name,
        "vector",
        search_params(held.index, held.rows, limit),
        limit,
        data=[np.zeros(held.dim, np.float32)],
        output_fields=["row"],
        guarantee_timestamp=_EVENTUALLY,
    )


def _placeholder(vector: Vector) -> bytes:
    value = common_pb2.PlaceholderValue(
        tag="$0",
        type=common_pb2.PlaceholderType.FloatVector,
        values=[np.ascontiguousarray(vector, np.float32).tobytes()],
    )
    return bytes(common_pb2.PlaceholderGroup(placeholders=[value]).SerializeToString())
