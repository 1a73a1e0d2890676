"""Asking each part whether it can do its work."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException

import grpc
import redis
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scripts.supervision.parts import Part

_TIMEOUT_S = 2.0
_NO_PROXY = [("grpc.enable_http_proxy", 0)]  # loopback must not go through a company's proxy


def check(part: Part) -> str:
    """Empty when the part is healthy, else why not, in a few words."""
    try:
        return _CHECKS[part.health](part.target)
    except (OSError, HTTPException, redis.RedisError, grpc.RpcError) as error:
        return _reason(error)


def check_all(parts: Iterable[Part]) -> dict[str, str]:
    """`check` of each part by name, asked at the same time."""
    listed = list(parts)
    with ThreadPoolExecutor(max(1, len(listed))) as pool:
        return dict(zip((part.name for part in listed), pool.map(check, listed), strict=True))


def wait_healthy(
    parts: Iterable[Part], timeout_s: float, report: Callable[[list[str]], None]
) -> dict[str, str]:
    """Ask until all are healthy or the time is over.

    Args:
        report: told, after each round, the names of those that are not healthy yet.
    Returns: those still not healthy with the reason; empty is success.
    """
    waiting = {part.name: part for part in parts}
    deadline = time.monotonic() + timeout_s
    while True:
        sick = {name: reason for name, reason in check_all(waiting.values()).items() if reason}
        waiting = {name: waiting[name] for name in sick}
        report(list(sick))
        if not sick or time.monotonic() > deadline:
            return sick
        time.sleep(0.2)


def _grpc(target: str) -> str:
    with grpc.insecure_channel(target, options=_NO_PROXY) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else "not ready"


def _http(target: str) -> str:
    connection = HTTPConnection(target, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if status == 200 else f"HTTP {status}"


def _redis(url: str) -> str:
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        client.ping()
    finally:
        client.close()
    return ""


def _tcp(target: str) -> str:
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_TIMEOUT_S):
        return ""


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        unavailable = error.code() is grpc.StatusCode.UNAVAILABLE
        return "does not answer" if unavailable else f"gRPC {error.code().name}"
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error):
        return "does not listen"
    return str(error) or type(error).__name__


_CHECKS: dict[str, Callable[[str], str]] = {"grpc": _grpc, "http": _http, "redis": _redis, "tcp": _tcp}
