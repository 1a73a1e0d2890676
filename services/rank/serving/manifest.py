"""What the server reads of a release's manifest: its name and the ranker's feeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


class BadManifest(ValueError):
    """The manifest is missing, not JSON, or lacks what the server needs."""


@dataclass(frozen=True)
class Feed:
    """One input of the ranker.

    Attributes:
        name: as the exported model names it.
        dtype: numpy dtype of the values.
        shape: without the batch dimension.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def dims(self) -> str:
        """The shape as text for messages: `26`, or `10, 4`."""
        return ", ".join(map(str, self.shape))


@dataclass(frozen=True)
class RankManifest:
    """The release's name and the ranker's feeds, in the manifest's order."""

    release: str
    feeds: tuple[Feed, ...]


def read_manifest(path: Path) -> RankManifest:
    """Read `manifest.json` of a release.

    Raises:
        BadManifest: one line that says what is wrong, with the path.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        feeds = tuple(
            Feed(str(feed["name"]), np.dtype(feed["dtype"]), tuple(int(length) for length in feed["shape"]))
            for feed in document["models"]["rank"]["feeds"]
        )
        manifest = RankManifest(str(document["release"]), feeds)
    except OSError as error:
        raise BadManifest(f"cannot read {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise BadManifest(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadManifest(f"{path}: needs release and models.rank.feeds: {error}") from error
    if not feeds:
        raise BadManifest(f"{path}: models.rank.feeds is empty")
    return manifest
