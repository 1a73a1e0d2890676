"""The releases on disk as their manifests tell, and which of them is current."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import redis
import structlog

from engine.release import CURRENT, MANIFEST
from services.common import keys

MOST = 50
log = structlog.get_logger("webapp.console")


@dataclass(frozen=True)
class ReleaseInfo:
    """What a manifest tells of a release; texts are empty and numbers 0 where it does not."""

    name: str
    dataset: str
    created: str
    window: str
    config: str
    items: int
    users: int
    dim: int
    fingerprint: str
    gate: str
    """"passed", "failed", or "" when no gate was asked."""
    metrics: tuple[tuple[str, float], ...]
    """Name and value, names as `pipeline.recall_at_20`."""
    versions: tuple[tuple[str, str], ...]

    def metric(self, name: str) -> float | None:
        """One metric; None when the manifest has no such."""
        return dict(self.metrics).get(name)


def current_name(client: redis.Redis, artifacts: Path) -> tuple[str, str]:
    """Name of the current release, and who says so; ("", "") when nobody does."""
    try:
        value = client.get(keys.RELEASE)
        if isinstance(value, bytes) and value:
            return value.decode("utf-8", "replace"), "Redis"
    except (redis.RedisError, OSError) as error:
        log.warning("console.no_release_in_redis", error=str(error))
    try:
        name = (artifacts / CURRENT).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return "", ""
    return name, CURRENT


def releases(artifacts: Path) -> list[ReleaseInfo]:
    """All on disk, newest first, at most 50."""
    try:
        manifests = sorted(artifacts.glob(f"[!.]*/{MANIFEST}"), key=_changed, reverse=True)[:MOST]
    except OSError:
        return []
    found = (_read(path, _changed(path)) for path in manifests)
    return sorted((one for one in found if one), key=lambda one: one.created, reverse=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed between listing and looking
        return 0.0


@lru_cache(maxsize=2 * MOST)
def _read(path: Path, changed: float) -> ReleaseInfo | None:
    """A manifest; `changed` is part of the cache's key only. None for what is no manifest."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        return _info(path.parent.name, raw) if isinstance(raw, Mapping) else None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("console.bad_manifest", file=str(path), error=str(error))
        return None


def _info(name: str, raw: Mapping[str, Any]) -> ReleaseInfo:
    window, metrics = raw.get("data_window") or {}, raw.get("metrics") or {}
    gate = metrics.get("gate_passed")
    return ReleaseInfo(
        name=name,
        dataset=str(raw.get("dataset", "")),
        created=str(raw.get("created_at", "")),
        window=" – ".join(_day(window[end]) for end in ("start", "end") if end in window),
        config=str((raw.get("config") or {}).get("name", "")),
        items=int(raw.get("n_items", 0)),
        users=int(raw.get("n_users", 0)),
        dim=int(raw.get("embedding_dim", 0)),
        fingerprint=str(raw.get("fingerprint", "")),
        gate="" if gate is None else "passed" if gate else "failed",
        metrics=tuple(_flat(metrics)),
        versions=tuple((str(key), str(value)) for key, value in (raw.get("versions") or {}).items()),
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def _day(at_ms: float) -> str:
    return datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y-%m-%d")
