"""A release folder with a ranker only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODULE = "services.rank.serving"
RELEASE = "tiny-20260101T000000Z"
FIELDS, DENSE = 3, 2
BATCHES = (1, 7, 32, 200, 513, 1500)  # as tests.integration.ranker.tiny_ranker, which imports Paddle

Feeds = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Release:
    """A release folder with a ranker only, and what Paddle itself answers."""

    folder: Path
    cases: dict[int, tuple[Feeds, np.ndarray[Any, Any]]]

    @property
    def arguments(self) -> list[str]:
        return [
            "--model-dir",
            str(self.folder / "rank_serving"),
            "--manifest",
            str(self.folder / "manifest.json"),
        ]
