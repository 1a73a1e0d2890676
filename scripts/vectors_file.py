"""The original's `product_vectors.txt`: a line `id:[v1,v2,…]` for each item."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scripts.console import CommandError


def read_vectors(path: Path) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Ids [N] and vectors float32 [N, D] of a file, each vector scaled to length 1.

    Raises CommandError, naming file and line: no `id:[…]`, not numbers, another length than the first line's,
    a zero vector, an id that came before; or for a file that has no line or cannot be read.
    """
    ids: dict[str, int] = {}
    numbers = array("f")
    dim = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    item, vector = _parse(line)
                    if item in ids:
                        raise ValueError(f"the id {item[:40]!r} was already in line {ids[item]}")
                    dim = dim or len(vector)
                    if len(vector) != dim:
                        raise ValueError(f"{len(vector)} numbers instead of {dim}")
                except ValueError as error:
                    raise CommandError(f"{path}:{number}: {error}") from error
                ids[item] = number
                numbers.extend(vector.tolist())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read: {error}") from error
    if not ids:
        raise CommandError(f"{path}: no vectors in it")
    return list(ids), np.frombuffer(numbers, dtype=np.float32).reshape(len(ids), dim)


def _parse(line: str) -> tuple[str, npt.NDArray[np.float32]]:
    """Id and unit vector of one line; ValueError says what is wrong."""
    item, colon, rest = line.strip().partition(":")
    rest = rest.strip()
    if not (colon and item.strip() and rest.startswith("[") and rest.endswith("]")):
        raise ValueError("not of the form id:[v1,v2,…]")
    try:
        vector = np.array([float(text) for text in rest[1:-1].split(",")], dtype=np.float64)
    except ValueError as error:
        raise ValueError("not all of its values are numbers") from error
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise ValueError("a vector of length zero, or not finite")
    return item.strip(), (vector / length).astype(np.float32)
