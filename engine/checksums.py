"""Size and SHA-256 of files, as a release's manifest records them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any


def describe(path: Path) -> dict[str, Any]:
    """The manifest's entry of a file."""
    return {"sha256": _sha256(path), "bytes": path.stat().st_size}


def fault(path: Path, entry: Mapping[str, Any], checksum: bool) -> str:
    """What is wrong with a file that has this entry, in one line; "" if nothing is.

    ``checksum``: compare that too, which reads the file.
    """
    if not path.is_file():
        return f"{path}: missing"
    if path.stat().st_size != entry["bytes"]:
        return f"{path}: {path.stat().st_size} bytes, the manifest says {entry['bytes']}"
    if checksum and _sha256(path) != entry["sha256"]:
        return f"{path}: its checksum is not the manifest's: the file was changed"
    return ""


def _sha256(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
