"""What recommend itself knows of a release: user features, leaf categories, the popular list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import EcrsError
from engine.release import Release
from engine.types import RecallResult
from services.recommend.fallback import popular_candidates


class Facts(Protocol):
    """Facts of a release ("" = the current one); None while it is not loaded here."""

    def attribute_names(self) -> frozenset[str] | None:
        """Names of the user features of the current release."""
        ...

    def leaf_categories(self, release: str, item_ids: Sequence[str]) -> list[int] | None:
        """A number for each item's leaf category; 0 where unknown."""
        ...


class Releases(Protocol):
    """Releases by name; "" is the current one. Raises ReleaseNotLoaded."""

    def get(self, name: str) -> Release: ...


class ReleaseFacts:
    """Implements `Facts` from the release's own files, which are mapped into memory and read as needed."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases
        self._leaf = ("", np.empty(0, np.int64))  # of the release asked for last; replaced as one

    def attribute_names(self) -> frozenset[str] | None:
        """See `Facts`."""
        release = self._get("")
        return frozenset(entry.name for entry in release.schema.user_fields) if release else None

    def leaf_categories(self, release: str, item_ids: Sequence[str]) -> list[int] | None:
        """See `Facts`."""
        found = self._get(release)
        if found is None:
            return None
        leaf = self._leaf
        if leaf[0] != found.name:
            leaf = self._leaf = (found.name, _leaf_codes(found))
        rows = found.items.row_of(item_ids)
        result: list[int] = np.where(rows >= 0, leaf[1][rows], 0).tolist()
        return result

    def release(self) -> str:
        """Name of the current release; "" while there is none."""
        found = self._get("")
        return found.name if found else ""

    def popular(self) -> RecallResult | None:
        """The current release's popular list, to begin with while recall is away."""
        release = self._get("")
        if release is None:
            return None
        return RecallResult(popular_candidates(release.channels.popular), release.name)

    def _get(self, name: str) -> Release | None:
        try:
            return self._releases.get(name)
        except EcrsError:
            return None


def _leaf_codes(release: Release) -> npt.NDArray[np.int64]:
    """A number for the deepest category of each item, int64 [N]; equal hash buckets count as one category."""
    slots = release.schema.item_slots
    leaf = np.zeros(len(release.items), np.int64)
    for column, slot in enumerate(slots):
        if slot.name.startswith("category_"):
            codes = np.asarray(release.items.features[:, column])
            # a bucket number means another category at each level; the levels come from the root down
            leaf = np.where(codes > 0, codes * len(slots) + column, leaf)
    return leaf
