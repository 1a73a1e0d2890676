"""Search in Milvus: Lite on loopback or any server, the same code."""

from __future__ import annotations

import threading
import time

import numpy as np
from pymilvus import MilvusClient

from engine.recall.index import IndexMismatch, IndexUnavailable, Rows, Scores, Vector
from services.adapters.milvus.collection import (
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
        self._client: MilvusClient | None = None
        self._checked: Description | None = None
        self._connecting = threading.Lock()
        self._next_try = 0.0

    def open(self) -> None:
        """See `VectorIndex.open`."""
        self._next_try = 0.0
        self._prepare(_CONNECT_TIMEOUT_S)

    def close(self) -> None:
        """See `VectorIndex.close`."""
        client, self._client, self._checked = self._client, None, None
        if client is not None:
            client.close()

    def ready(self) -> bool:
        """See `VectorIndex.ready`."""
        try:
            client, _ = self._prepare(_READY_TIMEOUT_S)
            return bool(client.has_collection(self._name, timeout=_READY_TIMEOUT_S))
        except (IndexUnavailable, *MILVUS_ERRORS):
            return False

    def search(self, vector: Vector, top_k: int, timeout_s: float) -> tuple[Rows, Scores]:
        """See `VectorIndex.search`."""
        if vector.shape != (self._expected.dim,):
            raise ValueError(
                f"vector of shape {vector.shape}, the index holds {self._expected.dim} numbers each"
            )
        started = time.monotonic()
        client, held = self._prepare(timeout_s)
        left = timeout_s - (time.monotonic() - started)
        if left <= 0:
            raise IndexUnavailable("no time left to search")
        try:
            (hits,) = client.search(
                self._name,
                data=[vector],
                anns_field="vector",
                limit=min(top_k, held.rows),
                search_params=search_params(held.index, held.rows, top_k),
                output_fields=["row"],
                timeout=left,
            )
        except MILVUS_ERRORS as error:
            self._checked = None
            raise IndexUnavailable(f"Milvus at {self._uri}: {reason(error)}") from error
        rows = np.fromiter((hit["entity"]["row"] for hit in hits), np.int64, len(hits))
        scores = np.fromiter((hit["distance"] for hit in hits), np.float32, len(hits))
        return rows, scores

    def _prepare(self, timeout_s: float) -> tuple[MilvusClient, Description]:
        """The connected client and the checked collection. Raises `IndexUnavailable`, `IndexMismatch`."""
        client, held = self._client, self._checked
        if client is not None and held is not None:
            return client, held
        if not self._connecting.acquire(blocking=False):
            raise IndexUnavailable(f"Milvus at {self._uri}: another thread is connecting")
        try:
            if time.monotonic() < self._next_try:
                raise IndexUnavailable(f"Milvus at {self._uri}: it did not answer just now")
            self._next_try = time.monotonic() + _RETRY_EVERY_S
            timeout_s = min(timeout_s, _CONNECT_TIMEOUT_S)
            if self._client is None:
                self._client = connect(self._uri, self._token, timeout_s)
            self._checked = self._check(self._client, timeout_s)
            return self._client, self._checked
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
