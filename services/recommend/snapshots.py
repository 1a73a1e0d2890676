"""The releases as recommend reads them: user features, leaf categories, ids of rows, the popular list."""

from __future__ import annotations

from typing import Protocol

from engine.candidates import RecallResult
from engine.errors import EcrsError
from engine.snapshot import Snapshot
from services.recommend.fallback import SIZE


class Releases(Protocol):
    """Releases by name; "" is the current one. Raises ReleaseNotLoaded."""

    def get(self, name: str) -> Snapshot: ...


class Snapshots:
    """The releases that are loaded here."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    def get(self, name: str = "") -> Snapshot | None:
        """A release by name, the current one for ""; None while it is not loaded here."""
        try:
            return self._releases.get(name)
        except EcrsError:
            return None

    def attribute_names(self) -> frozenset[str] | None:
        """Names of the user features of the current release; None while there is none."""
        snapshot = self.get()
        return frozenset(entry.name for entry in snapshot.schema.user_fields) if snapshot else None

    def release(self) -> str:
        """Name of the current release; "" while there is none."""
        snapshot = self.get()
        return snapshot.name if snapshot else ""

    def popular(self) -> RecallResult | None:
        """The current release's popular list, to begin with while recall is away."""
        snapshot = self.get()
        return snapshot.popular(SIZE) if snapshot else None
