"""Asking every part whether it answers: the services by the standard gRPC health protocol."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import grpc
import redis
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 0.7
FRESH_S = 2.0  # several people looking ask no more than one
_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_reconnect_backoff_ms", 1_000),  # a part that is back is seen within a second
    ("grpc.initial_reconnect_backoff_ms", 100),
]


@dataclass(frozen=True)
class Health:
    """`problem` is empty when the part answers; `detail`: what it says of itself."""

    part: str
    address: str
    problem: str
    took_ms: float
    detail: str = ""


class Probes:
    """Asks all parts at once, at most every two seconds."""

    def __init__(self, services: Mapping[str, str], client: redis.Redis, milvus: str, predictor: str) -> None:
        self._checks: dict[str, tuple[str, Callable[[], str]]] = {
            name: (address, lambda address=address: self._grpc(address))  # type: ignore[misc]  # bound now
            for name, address in services.items()
        }
        kwargs = client.connection_pool.connection_kwargs
        at = f"{kwargs.get('host', '')}:{kwargs.get('port', '')}"
        self._checks["redis"] = (at, lambda: _redis(client))
        if milvus:  # none with exact search
            self._checks["milvus"] = (urlsplit(milvus).netloc, lambda: _tcp(urlsplit(milvus).netloc))
        if predictor.startswith("serving://"):
            place = urlsplit(predictor).netloc
            self._checks["serving"] = (place, lambda: _tcp(place))
        self._channels: dict[str, grpc.Channel] = {}  # made at the first check, kept: each costs a handshake
        self._found: tuple[float, tuple[Health, ...]] = (float("-inf"), ())

    def check(self) -> tuple[Health, ...]:
        """Every part, in a stable order; takes 0.7 s at most, more or less."""
        at, found = self._found
        if time.monotonic() - at < FRESH_S:
            return found
        with ThreadPoolExecutor(len(self._checks)) as pool:
            found = tuple(pool.map(self._check, self._checks))
        self._found = (time.monotonic(), found)
        return found

    def _grpc(self, address: str) -> str:
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = grpc.insecure_channel(address, options=_OPTIONS)
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise OSError("is not ready: see its log")
        return ""

    def _check(self, part: str) -> Health:
        address, ask = self._checks[part]
        started = time.perf_counter()
        problem, detail = "", ""
        try:
            detail = ask()
        except (OSError, ValueError, redis.RedisError, grpc.RpcError) as error:
            problem = _reason(error)
        return Health(part, address, problem, (time.perf_counter() - started) * 1e3, detail)


def _redis(client: redis.Redis) -> str:
    info = client.info("server")
    return str(info.get("redis_version", "")) if isinstance(info, dict) else ""


def _tcp(address: str) -> str:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S):
        return ""


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        silent = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        return "does not answer" if silent else f"gRPC {error.code().name}"
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error):
        return "does not listen"
    return str(error) or type(error).__name__
