"""A sync gRPC server of one process: threads, health with readiness, reflection, graceful stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from engine.errors import EcrsError, Unavailable
from services.common.rpc.interceptor import CallInterceptor
from services.common.rpc.stats import CallStats
from services.common.rpc.token import TokenInterceptor

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # 1,000 items with 64 attributes fit; an endless message does not
_READY_POLL_S = 1.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class AddressInUse(Unavailable):
    """The address to listen on is taken, or is not ours."""


@dataclass(frozen=True)
class Servicer:
    """One gRPC service: its full name (as in /name/method) and the call that adds it to a server."""

    name: str
    add: Callable[[grpc.Server], None]


@dataclass(frozen=True)
class App:
    """What a server process runs.

    `ready` raises `EcrsError` with the reason while a needed part is missing; it is asked once a second, from
    one thread, and must answer within about a second. `close` frees what the app holds, after the last call.
    `stats` counts the calls. Callers must send `token`, unless it is empty.
    """

    name: str
    servicers: Sequence[Servicer]
    ready: Callable[[], None]
    close: Callable[[], None]
    stats: CallStats = field(default_factory=CallStats)
    token: str = field(default="", repr=False)


class Server:
    """Serves an App on one address. `start()`, then `stop()`; liveness is that it answers at all.

    Args:
        share_port: with other processes, by SO_REUSEPORT.
        socket: a Unix socket of this server's own, beside the address; one that is there is replaced.
    """

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        *,
        threads: int = 4,
        default_deadline_s: float = 0.3,
        share_port: bool = False,
        socket: Path | None = None,
    ) -> None:
        self._app = app
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._threads = threads
        self._default_deadline_s = default_deadline_s
        self._share_port = share_port
        self._socket = socket
        self._stopping = threading.Event()
        self._names = ["", *(servicer.name for servicer in app.servicers)]
        self.port = port

    def start(self) -> Server:
        """Listen and serve; sets `port` if 0 was asked for. Raises AddressInUse."""
        interceptors: list[grpc.ServerInterceptor] = [
            CallInterceptor(self._default_deadline_s, self._app.stats)
        ]
        if self._app.token:
            interceptors.insert(0, TokenInterceptor(self._app.token))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="rpc")
        self._server = grpc.server(
            self._pool,
            interceptors=interceptors,
            options=[
                ("grpc.so_reuseport", int(self._share_port)),
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                # Clients of ours ping every 30 s; without this the server would hang up on them.
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 10_000),
            ],
        )
        # Watch keeps no thread of the pool waiting.
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(1)
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for servicer in self._app.servicers:
            servicer.add(self._server)
        reflection.enable_server_reflection(
            [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        self._set_health(_NOT_SERVING)
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise AddressInUse(f"cannot listen on {self._address}: in use, or no address of ours") from error
        if self._socket is not None:
            try:
                self._server.add_insecure_port(f"unix:{self._socket}")
            except RuntimeError as error:
                raise AddressInUse(
                    f"cannot listen on {self._socket}: no folder, or too long a path"
                ) from error
        self._server.start()
        self._poller = threading.Thread(target=self._poll_ready, name="readiness", daemon=True)
        self._poller.start()
        return self

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The threads that serve calls; there after `start`."""
        return self._pool

    def stop(self, grace_s: float = 5.0) -> None:
        """Say NOT_SERVING, let running calls finish for `grace_s` at most, free everything; once only."""
        if not self._stopping.is_set():
            self.drain(grace_s).wait()
            self.close()

    def drain(self, grace_s: float) -> threading.Event:
        """Say NOT_SERVING and take no more calls; the event is set when those that run have ended, or after
        `grace_s` seconds."""
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        return self._server.stop(grace_s)

    def close(self) -> None:
        """Free everything, after `drain`."""
        self._poller.join(timeout=2 * _READY_POLL_S)
        self._pool.shutdown(wait=False)
        self._app.close()

    def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            self._health.set(name, status)

    def _poll_ready(self) -> None:
        reason: str | None = "starting"
        while not self._stopping.is_set():
            before = reason
            try:
                self._app.ready()
                reason = None
            except EcrsError as error:
                reason = str(error)
            except Exception as error:
                # A broken check must show as "not ready", not end the thread that reports readiness.
                log.exception("readiness_check_failed")
                reason = f"the readiness check failed: {error}"
            if (reason is None) != (before is None):
                self._set_health(_SERVING if reason is None else _NOT_SERVING)
                log.info("ready" if reason is None else "not_ready", reason=reason or "", port=self.port)
            elif reason is not None and reason != before:
                log.info("not_ready", reason=reason, port=self.port)
            self._stopping.wait(_READY_POLL_S if reason is None else _READY_POLL_S / 4)
