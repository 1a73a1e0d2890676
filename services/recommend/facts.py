"""What recommend itself knows of a release: user features, leaf categories, the popular list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models.release import Release
from services.common.errors import EcrsError
from services.common.ports import RecallResult
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

    def attribute_names(self) -> frozenset[str] | None:
        """See `Facts`."""
        release = self._get("")
        return frozenset(entry.name for entry in release.schema.user_fields) if release else None

    def leaf_categories(self, release: str, item_ids: Sequence[str]) -> list[int] | None:
        """See `Facts`. The deepest level that an item has; equal hash buckets count as one category."""
        found = self._get(release)
        if found is None:
            return None
        slots = found.items.schema.item_slots
        columns = [column for column, slot in enumerate(slots) if slot.name.startswith("category_")]
        rows = found.items.row_of(item_ids)
        codes = np.asarray(found.items.features)[np.maximum(rows, 0)][:, columns]  # [n, levels]
        leaf = np.zeros(len(rows), np.int64)
        for level in range(codes.shape[1]):
            # a bucket number means another category at each level
            leaf = np.where(codes[:, level] > 0, codes[:, level] * len(slots) + level + 1, leaf)
        leaf[rows < 0] = 0
        result: list[int] = leaf.tolist()
        return result

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
