"""Asking each part whether it can do its work (`check`), and whether it lives at all (`check_alive`).

A part that waits for another is alive: starting it again would not help. Whoever answers anything is alive.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection, HTTPException

import grpc
import redis
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scripts.supervision.parts import Part

_TIMEOUT_S = 2.0
_NO_PROXY = [("grpc.enable_http_proxy", 0)]  # loopback must not go through a company's proxy


def check(part: Part) -> str:
    """Empty when the part is healthy, else why not, in a few words."""
    if not part.sockets:
        return _check(part.health, part.target)
    with ThreadPoolExecutor(len(part.sockets)) as pool:
        reasons = list(pool.map(partial(_check, part.health), part.sockets))
    return "; ".join(f"process {number}: {reason}" for number, reason in enumerate(reasons) if reason)


def _check(health: str, target: str) -> str:
    try:
        return _CHECKS[health](target)
    except (OSError, HTTPException, redis.RedisError, grpc.RpcError) as error:
        return _reason(error)


def check_alive(part: Part, timeout_s: float) -> str:
    """Empty when the part answers anything within so many seconds, else how it failed.

    All processes of a part are asked at the same time. One that answers is enough: their parent replaces the
    others. Raises CutOff for a front end that answers, but is not answered by services.
    """
    if not part.sockets:
        return _check_alive(part.health, part.target, timeout_s)
    with ThreadPoolExecutor(len(part.sockets)) as pool:
        reasons = list(pool.map(lambda one: _check_alive(part.health, one, timeout_s), part.sockets))
    return "" if "" in reasons else reasons[0]


def _check_alive(health: str, target: str, timeout_s: float) -> str:
    try:
        _ALIVE[health](target, timeout_s)
    except (OSError, HTTPException, redis.RedisError, grpc.RpcError) as error:
        return _reason(error)
    return ""


class CutOff(Exception):
    """A front end answers, but these services do not answer it."""

    def __init__(self, services: Iterable[str]) -> None:
        self.services = tuple(services)
        super().__init__(f"not answered by {', '.join(self.services)}")


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
    serving = _grpc_status(target, _TIMEOUT_S) == health_pb2.HealthCheckResponse.SERVING
    return "" if serving else "not ready"


def _grpc_status(target: str, timeout_s: float) -> int:
    with grpc.insecure_channel(target, options=_NO_PROXY) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s).status)


def _grpc_alive(target: str, timeout_s: float) -> None:
    try:
        _grpc_status(target, timeout_s)
    except grpc.RpcError as error:
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
            raise


def _milvus(target: str) -> str:
    _grpc_alive(target, _TIMEOUT_S)  # Milvus has no such service; that it says so is enough
    return ""


def _http(target: str) -> str:
    status, _ = _get(target, "/healthz", _TIMEOUT_S)
    return "" if status == 200 else f"HTTP {status}"


def _web(target: str) -> str:
    try:
        _web_alive(target, _TIMEOUT_S)
    except CutOff as error:
        return str(error)
    return ""


def _web_alive(target: str, timeout_s: float) -> None:
    _, body = _get(target, "/reachz", timeout_s)
    try:
        states = json.loads(body)["services"]
    except (ValueError, KeyError, TypeError) as error:
        raise HTTPException("no answer of ours") from error
    if lost := [name for name, state in states.items() if state != "ok"]:
        raise CutOff(lost)


def _nginx_alive(target: str, timeout_s: float) -> None:
    _get(target, "/static/away.html", timeout_s)  # from the disk: no front end is asked


def _get(target: str, path: str, timeout_s: float) -> tuple[int, bytes]:
    connection = HTTPConnection(target, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _redis(url: str) -> str:
    _ping(url, _TIMEOUT_S)
    return ""


def _ping(url: str, timeout_s: float) -> None:
    client = redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    try:
        client.ping()
    finally:
        client.close()


def _redis_alive(url: str, timeout_s: float) -> None:
    try:
        _ping(url, timeout_s)
    except (redis.exceptions.BusyLoadingError, redis.exceptions.AuthenticationError, redis.ResponseError):
        return  # it says no: an answer


def _tcp(target: str) -> str:
    _tcp_alive(target, _TIMEOUT_S)
    return ""


def _tcp_alive(target: str, timeout_s: float) -> None:
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=timeout_s):
        return


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        unavailable = error.code() is grpc.StatusCode.UNAVAILABLE
        return "does not answer" if unavailable else f"gRPC {error.code().name}"
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error):
        return "does not listen"
    return str(error) or type(error).__name__


_CHECKS: dict[str, Callable[[str], str]] = {
    "grpc": _grpc,
    "http": _http,
    "web": _web,
    "redis": _redis,
    "milvus": _milvus,
    "tcp": _tcp,
}
_ALIVE: dict[str, Callable[[str, float], None]] = {
    "grpc": _grpc_alive,
    "http": _nginx_alive,
    "web": _web_alive,
    "redis": _redis_alive,
    "milvus": _grpc_alive,
    "tcp": _tcp_alive,
}
