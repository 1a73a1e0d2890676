"""The end of `make up`: where everything is, and two lines to try it."""

from __future__ import annotations

import json

import redis
from rich.console import Console

from scripts.supervision.building import connect
from scripts.supervision.parts import local_host, nginx_program
from services.settings import SERVICES, Settings

_METHOD = "ecrs.recommend.v1.RecommendService/Recommend"


def print_addresses(console: Console, settings: Settings, release: str) -> None:
    """Print the addresses of the running system, a curl line and a grpcurl line."""
    host = local_host(settings)
    fronts = [f"http://{host}:{settings.port(name)}" for name in ("web1", "web2")]
    shop = f"http://{host}:{settings.port('nginx')}" if nginx_program() else fronts[0]
    recommend = settings.address("recommend")
    token = '-H "authorization: Bearer $ECRS_SERVICE_TOKEN" ' if settings.service_token else ""
    request = json.dumps({"user_id": some_user(settings), "page_size": 5})
    lines = (
        ("shop", shop),
        ("front ends", "  ".join(fronts)),
        ("gRPC", "  ".join(f"{name} {settings.address(name)}" for name in SERVICES)),
        ("release", release),
        ("logs", str(settings.state_dir / "log")),
        ("try", f"curl -sS {shop}/readyz"),
        ("", f"grpcurl -plaintext {token}-d '{request}' {recommend} {_METHOD}"),
    )
    console.print()
    for name, text in lines:
        console.print(f"{name:<11}{text}", markup=False)


def some_user(settings: Settings) -> str:
    """The id of a user that is loaded; "1" when Redis gives none quickly."""
    try:
        with connect(settings) as client:
            for _ in range(20):
                key = client.randomkey()
                if isinstance(key, bytes) and key.endswith(b"##user_info"):
                    return key.decode().partition("##")[0]
    except (redis.RedisError, UnicodeDecodeError):  # a sample line is not worth an error
        return "1"
    return "1"
