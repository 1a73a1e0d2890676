"""Deadlines and retries of each service, as shipped with its proto: `protos/ecrs/<service>/v1/*.json`."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import grpc

from services.settings import ROOT


@dataclass(frozen=True)
class RetryPolicy:
    """When a call that failed is made again: at most `max_attempts` in all, after a random pause.

    The pause before attempt n + 1 is uniform between 0 and min(initial · multiplier^(n-1), longest) seconds,
    so that callers that failed together do not come back together.
    """

    max_attempts: int
    initial_s: float
    longest_s: float
    multiplier: float
    codes: frozenset[grpc.StatusCode]

    def pause_s(self, attempts: int) -> float:
        """Seconds to wait after `attempts` failed ones."""
        return random.uniform(0, min(self.initial_s * self.multiplier ** (attempts - 1), self.longest_s))


@dataclass(frozen=True)
class ServiceConfig:
    """What a client of one service needs: the text for gRPC's channel, and the policy read from it.

    All methods that may be retried share one policy.
    """

    text: str
    retry: RetryPolicy


@lru_cache
def service_config(service: str) -> ServiceConfig:
    """The config of a service ("user", "item" …).

    Raises FileNotFoundError for a service without one, ValueError if its methods' policies differ.
    """
    file = ROOT / "protos" / "ecrs" / service / "v1" / f"{service}_grpc_service_config.json"
    text = file.read_text("utf-8")
    policies = {
        _policy(method["retryPolicy"])
        for method in json.loads(text)["methodConfig"]
        if "retryPolicy" in method
    }
    if len(policies) != 1:
        raise ValueError(f"{file}: has {len(policies)} retry policies, our clients know one")
    return ServiceConfig(text, policies.pop())


def _policy(raw: dict[str, Any]) -> RetryPolicy:
    return RetryPolicy(
        raw["maxAttempts"],
        _seconds(raw["initialBackoff"]),
        _seconds(raw["maxBackoff"]),
        raw["backoffMultiplier"],
        frozenset(grpc.StatusCode[code] for code in raw["retryableStatusCodes"]),
    )


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
