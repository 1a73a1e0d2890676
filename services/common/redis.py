"""Redis as ECRS uses it: one factory of clients that never hang, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from redis.retry import Retry

from engine.errors import Unavailable

Redis: TypeAlias = "redis.Redis"

SOCKET_TIMEOUT_S = 0.25
BULK_TIMEOUT_S = 30.0


def connect(url: str, *, timeout_s: float = SOCKET_TIMEOUT_S, max_connections: int = 64) -> Redis:
    """A client for `url` that answers or fails within about `timeout_s`, with values as bytes.

    Makes no connection yet. A connection that turns out to be dead (Redis was started again) is replaced at
    once, one time; a Redis that is down fails the call without further waiting.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        socket_keepalive=True,
        health_check_interval=15,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        decode_responses=False,
        protocol=2,
    )


@contextmanager
def redis_errors(url: str = "") -> Iterator[None]:
    """Turns every error of Redis into `Unavailable`, in one line."""
    at = f" at {_without_password(url)}" if url else ""
    try:
        yield
    except BusyLoadingError as error:
        raise Unavailable(f"Redis{at} is still loading its data") from error
    except TimeoutError as error:
        raise Unavailable(f"Redis{at} does not answer in time") from error
    except ConnectionError as error:
        raise Unavailable(f"Redis{at} cannot be reached") from error
    except ReadOnlyError as error:
        raise Unavailable(f"Redis{at} is a read-only replica") from error
    except ResponseError as error:
        raise Unavailable(f"Redis{at} refused: {error}") from error
    except RedisError as error:
        raise Unavailable(f"Redis{at} failed: {error}") from error


def ping(client: Redis) -> None:
    """Raises Unavailable if Redis does not answer: a readiness check."""
    with redis_errors():
        client.ping()


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
