"""The parts of the running system: what each is started with, where it listens, how its health is asked."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from services.common.rpc.serve import socket_of
from services.settings import SERVICES, Settings

HealthKind = Literal["grpc", "http", "web", "redis", "milvus", "tcp"]
TOGETHER = "together"
"""The part that runs all five services in the topology of that name."""
FRONT_ENDS = ("web1", "web2")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Part:
    """One part. An empty `command` means that it runs elsewhere: it is watched, not started; or, with
    `within`, that another part runs it.

    Attributes:
        tier: 0 stores, 1 model server, 2 services, 3 front ends, 4 Nginx. Started upwards, stopped downwards.
        health: how to ask; `grpc` is the standard health service (readiness), `http` GET /healthz, `web` GET
            /reachz: a front end and its way to the services.
        target: what `health` asks: host:port, or the URL of Redis.
        within: the name of the part in whose processes it runs; empty for its own.
        sockets: gRPC addresses of each process by itself, of several that share a port: the part is healthy
            if all are, and lives if one does; `target` is not asked then.
        stop_wait_s: seconds to end by itself before it is killed.
    """

    name: str
    title: str
    tier: int
    command: tuple[str, ...]
    port: int
    health: HealthKind
    target: str
    stop_wait_s: int = 10
    within: str = ""
    sockets: tuple[str, ...] = ()


def parts(settings: Settings, release: Path | None) -> list[Part]:
    """Every part of this configuration, in the order of their start.

    Args:
        release: the folder of the release that PaddleServing serves; without one that part is left out.
    """
    found = [_redis(settings)]
    if settings.milvus():
        found.append(_milvus(settings))
    serving = _serving(settings, release)
    if serving is not None:
        found.append(serving)
    if settings.topology == "together":
        found += _together(settings)
    else:
        found += [_service(settings, name) for name in SERVICES]
    found += [_front_end(settings, name) for name in FRONT_ENDS]
    nginx = nginx_program()
    if nginx is not None:
        found.append(_nginx(settings, nginx))
    return found


def nginx_program() -> str | None:
    """The path of Nginx, or None. Debian keeps it in /usr/sbin, which a user's PATH may lack."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")


def nginx_dir(settings: Settings) -> Path:
    """The folder of Nginx's configuration and temporary files."""
    return settings.state_dir / "nginx"


def local_host(settings: Settings) -> str:
    """The address at which this machine reaches what listens on `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)  # noqa: S104  # not a bind


def _redis(settings: Settings) -> Part:
    port = settings.port("redis")
    folder = str(settings.state_dir / "redis")
    own = ("services.embedded.redis", "--port", port, "--dir", folder, "--fsync", settings.redis_fsync)
    command = () if settings.redis_url else _python(*own)
    return Part("redis", "Redis", 0, command, port, "redis", settings.redis(), stop_wait_s=30)


def _milvus(settings: Settings) -> Part:
    address = urlsplit(settings.milvus())
    port = address.port or (443 if address.scheme == "https" else 80)
    folder = str(settings.state_dir / "milvus")
    elsewhere = bool(settings.index or settings.milvus_uri)
    command = () if elsewhere else _python("services.embedded.milvus", "--port", port, "--dir", folder)
    kind: HealthKind = "milvus" if address.scheme == "http" else "tcp"  # TLS is not ours to check
    return Part("milvus", "Milvus", 0, command, port, kind, f"{address.hostname}:{port}", stop_wait_s=30)


def _serving(settings: Settings, release: Path | None) -> Part | None:
    url = urlsplit(settings.predictor())
    if url.scheme != "serving" or url.port is None:
        return None
    ours = url.hostname in LOOPBACK
    if ours and release is None:
        return None
    command: tuple[str, ...] = ()
    if ours:
        model = ("--model-dir", f"{release}/rank_serving", "--manifest", f"{release}/manifest.json")
        command = _python("services.rank.serving", *model, "--port", url.port)
    return Part("serving", "PaddleServing", 1, command, url.port, "grpc", f"{url.hostname}:{url.port}")


def _service(settings: Settings, name: str) -> Part:
    elsewhere = bool(getattr(settings, f"{name}_address"))
    command = () if elsewhere else _python(f"services.{name}")
    target = settings.address(name) if elsewhere else f"{local_host(settings)}:{settings.port(name)}"
    return Part(name, f"{name} service", 2, command, settings.port(name), "grpc", target)


def _together(settings: Settings) -> list[Part]:
    """One part with a command, and each service within it."""
    processes = settings.worker_processes()
    found = []
    for name in SERVICES:
        sockets = (socket_of(settings.state_dir, number, name) for number in range(processes))
        found.append(
            replace(
                _service(settings, name),
                command=(),
                within=TOGETHER,
                sockets=tuple(f"unix:{socket}" for socket in sockets),
            )
        )
    whole = replace(
        found[-1],
        name=TOGETHER,
        title=f"the five services in {processes} processes",
        command=_python("services"),
        within="",
    )
    return [whole, *found]


def _front_end(settings: Settings, name: str) -> Part:
    port = settings.port(name)
    number = FRONT_ENDS.index(name) + 1
    command = _python("webapp", "--port", port)
    return Part(name, f"front end {number}", 3, command, port, "web", f"{local_host(settings)}:{port}")


def _nginx(settings: Settings, program: str) -> Part:
    port = settings.port("nginx")
    command = _python("scripts.supervision.run_nginx", program, str(nginx_dir(settings)))
    return Part("nginx", "Nginx", 4, command, port, "http", f"{local_host(settings)}:{port}")


def _python(module: str, *arguments: str | int) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *(str(argument) for argument in arguments))
