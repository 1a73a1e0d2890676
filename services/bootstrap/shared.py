"""What the services of one process share: the connections to Redis, and what is loaded of a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from engine import kernels
from engine.errors import ReleaseNotLoaded
from engine.features.table import STATS
from engine.release import Release
from engine.snapshot import Snapshot
from services.common import redis
from services.common.release_store import ReleaseStore
from services.common.rpc.in_process import wrapped
from services.item.search.feed import Popularity
from services.settings import Settings

T = TypeVar("T")


@dataclass
class LoadedRelease:
    """A release with what the stages of this process made of it, by type."""

    stages: dict[type, object]
    warms: list[Callable[[], object]] = field(default_factory=list)
    closes: list[Callable[[], object]] = field(default_factory=list)

    def warm(self) -> None:
        """Run every stage once. Raises what a stage raises."""
        for warm in self.warms:
            warm()

    def close(self) -> None:
        """End the stages' connections and networks."""
        for close in self.closes:
            close()


class Stage(Generic[T]):
    """What one stage made of the releases that are loaded in this process."""

    def __init__(self, releases: ReleaseStore[LoadedRelease], kind: type[T]) -> None:
        self._releases, self._kind = releases, kind

    def get(self, name: str = "") -> T:
        """Of the release `name`, or of the current one for "". Raises ReleaseNotLoaded."""
        return cast(T, self._releases.get(name).stages[self._kind])

    def check_ready(self) -> None:
        """Raises ReleaseNotLoaded while no release is loaded: a readiness check."""
        self.get()


class Shared:
    """Opened once in a process. A release is read once for all stages, and verified if a network runs here.

    Args:
        services: those of this process.
    """

    def __init__(self, settings: Settings, *services: str) -> None:
        self.settings = settings
        self.redis = redis.connect(settings.redis())
        self._loads = [_LOADS[name] for name in services if name in _LOADS]
        self._recalls = "recall" in services
        self._verify = bool({"recall", "rank"} & set(services))
        self.releases = ReleaseStore(
            settings.artifacts_dir,
            self._load,
            self.redis,
            warm=LoadedRelease.warm,
            close=LoadedRelease.close,
        )
        if settings.kernels == "auto" and self._verify:
            kernels.load()  # before a request wants them
        if set(services) != {"user"}:
            self.releases.open()

    def stage(self, kind: type[T]) -> Stage[T]:
        """The loaded releases as one stage sees them."""
        return Stage(self.releases, kind)

    def reading(self, service: T) -> T:
        """The service; no release that a call of it uses is closed before the call ends."""
        releases = self.releases

        def around(method: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(method)
            def call(*args: Any, **kwargs: Any) -> Any:
                with releases.reading():
                    return method(*args, **kwargs)

            return call

        return wrapped(service, around)

    def attribute_names(self) -> frozenset[str] | None:
        """The user features of the current release; None while there is none."""
        try:
            release = self.stage(Release).get()
        except ReleaseNotLoaded:
            return None
        return frozenset(entry.name for entry in release.schema.user_fields)

    def close(self) -> None:
        """Close the releases and the connections."""
        self.releases.close()
        self.redis.close()

    def _load(self, folder: Path) -> LoadedRelease:
        release = Release.load(folder, verify=self._verify)
        loaded = LoadedRelease({Release: release})
        try:
            if self._recalls:
                _load_snapshot(self.settings, release, loaded)
            else:
                loaded.stages[Snapshot] = Snapshot.of(release)
            for load in self._loads:
                load(self.settings, release, loaded)
        except BaseException:
            loaded.close()
            raise
        return loaded


# Imported where they are needed: a web front end does not need the libraries of Milvus and of the networks.


def _load_snapshot(settings: Settings, release: Release, loaded: LoadedRelease) -> None:
    """The snapshot with the networks that recall asks."""
    from services.adapters.by_url import open_search, open_tower  # noqa: PLC0415

    token = settings.milvus_token.get_secret_value()
    search = open_search(settings.vector_index(), release, settings.exact_search_limit, token)
    loaded.closes.append(search.close)
    snapshot = Snapshot.of(release, open_tower("onnx://", release), search)
    loaded.stages[Snapshot] = snapshot
    loaded.warms.append(snapshot.warm)


def _load_rank(settings: Settings, release: Release, loaded: LoadedRelease) -> None:
    from services.adapters.by_url import guarded_predictor  # noqa: PLC0415
    from services.rank.loaded import LoadedRanker  # noqa: PLC0415

    predictor = guarded_predictor(settings.predictor(), release.path, release.name)
    ranker = LoadedRanker(release, predictor, cast(Snapshot, loaded.stages[Snapshot]))
    loaded.closes.append(ranker.close)
    loaded.stages[LoadedRanker] = ranker
    loaded.warms.append(ranker.warm)


def _load_popularity(_: Settings, release: Release, loaded: LoadedRelease) -> None:
    bought = release.items.stats[:, STATS.index("popularity_90d")].tolist()
    loaded.stages[Popularity] = Popularity(release.name, dict(zip(release.items.ids, bought, strict=True)))


_LOADS: Mapping[str, Callable[[Settings, Release, LoadedRelease], None]] = {
    "rank": _load_rank,
    "item": _load_popularity,
}
