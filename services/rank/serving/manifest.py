"""What the server reads of a release's manifest: its name and the ranker's feeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engine.features.feeds import Feed


class BadManifest(ValueError):
    """The manifest is missing, not JSON, or lacks what the server needs."""


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
        feeds = tuple(Feed.from_json(feed) for feed in document["models"]["rank"]["feeds"])
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
