"""What is written about items, in a release: which files, and what reading them gives.

    content_terms.npy uint32 [V] · content_idf.npy float32 [V] · content_starts.npy int64 [V + 1]
    content_rows.npy int32 [Z] · content_weights.npy float32 [Z] · content_boosts.npy float32 [N]
    content_ids.txt                 one id a line, the items of the data that are not in the release
    content_neighbours.npy int32 [M, K] · content_scores.npy float16 [M, K]

A release of a catalogue in which nothing is written about any item has none of them.
"""

from __future__ import annotations

import numpy as np

from engine.recall.content import ContentIndex, ContentNeighbours
from engine.release import Release, ReleaseError, ReleaseWriter

_IDS, _NEIGHBOURS, _SCORES = "content_ids.txt", "content_neighbours.npy", "content_scores.npy"
_ARRAYS = ("terms", "idf", "starts", "rows", "weights", "boosts")


def write_content(writer: ReleaseWriter, content: ContentNeighbours) -> None:
    """Write all files into a release that is being made."""
    writer.text(_IDS, "".join(f"{item}\n" for item in content.other_ids))
    writer.array(_NEIGHBOURS, content.rows)
    writer.array(_SCORES, content.scores)
    for name in _ARRAYS:
        writer.array(f"content_{name}.npy", getattr(content.index, name))


def read_content(release: Release) -> ContentNeighbours | None:
    """The index and the lists; None if the release has none. Raises ReleaseError."""
    if _IDS not in release.manifest["files"]:
        return None
    try:
        ids = tuple((release.path / _IDS).read_text("utf-8").splitlines())
        rows = np.load(release.path / _NEIGHBOURS, allow_pickle=False)
        scores = np.load(release.path / _SCORES, allow_pickle=False)
        parts = [np.load(release.path / f"content_{name}.npy", allow_pickle=False) for name in _ARRAYS]
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{release.path}: its texts are not readable: {error}") from error
    terms, idf, starts, entries, weights, boosts = parts
    lengths = (len(terms) == len(idf) == len(starts) - 1, len(entries) == len(weights) == starts[-1])
    items = len(release.items)
    if not all(lengths) or len(boosts) != items or not len(rows) == len(scores) == items + len(ids):
        raise ReleaseError(f"{release.path}: the files of texts do not fit together: train again")
    index = ContentIndex(terms, idf, starts, entries, weights, boosts, float(np.log1p(len(rows))))
    return ContentNeighbours(index, ids, rows, scores)
