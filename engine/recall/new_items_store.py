"""The score of new items in a release: which files, and what reading them gives.

    new_catalogue_ids.txt   one id a line, of all M items of the dataset
    new_item_bins.npy       int32 [M, G]      new_launched.npy  float32 [M], days before the end of the data
    new_bin_keys.npy        int64 [B]         new_bin_starts.npy  int64 [G + 1]
    new_prior.npy           float32 [B]       new_weights.npy     float32 [evidence, G]
    new_items.jsonl.gz      the items without events, in the Redis form
    new_vectors.npy         float32 [P, D], their vectors by content alone, L2-normalised

A release from before there were such files, or whose data had no launches to learn from, has none of them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, encode_items
from engine.recall.new_items import EVIDENCE, Bins, FloatArray, NewItemModel, group_keys
from engine.release import Release, ReleaseError, ReleaseWriter

_IDS, _ITEMS, _VECTORS = "new_catalogue_ids.txt", "new_items.jsonl.gz", "new_vectors.npy"
_ARRAYS = ("item_bins", "launched", "bin_keys", "bin_starts", "prior", "weights")


@dataclass(frozen=True)
class StoredNewItems:
    """``index``: place of each catalogue item id in the model's arrays. ``records`` [P] and ``vectors``
    [P, D] are of the items that had no events."""

    model: NewItemModel
    index: Mapping[str, int]
    records: Sequence[Mapping[str, Any]]
    vectors: FloatArray


def write_new_items(
    writer: ReleaseWriter,
    model: NewItemModel,
    catalogue_ids: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    vectors: FloatArray,
) -> None:
    """Write all files into a release that is being made."""
    writer.text(_IDS, "".join(f"{item}\n" for item in catalogue_ids))
    bins = model.bins
    arrays: list[npt.NDArray[Any]]
    arrays = [model.taken_bins, model.launched, bins.keys, bins.starts, model.prior, model.weights]
    for name, values in zip(_ARRAYS, arrays, strict=True):
        writer.array(f"new_{name}.npy", values)
    writer.array(_VECTORS, vectors)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (writer.path / _ITEMS).write_bytes(gzip.compress(lines.encode(), compresslevel=6, mtime=0))


def read_new_items(release: Release) -> StoredNewItems | None:
    """What the release tells of new items; None if it has nothing. Raises ReleaseError."""
    if _IDS not in release.manifest["files"]:
        return None
    try:
        ids = (release.path / _IDS).read_text("utf-8").splitlines()
        parts = [np.load(release.path / f"new_{name}.npy", allow_pickle=False) for name in _ARRAYS]
        vectors = np.load(release.path / _VECTORS, allow_pickle=False)
        with gzip.open(release.path / _ITEMS, "rt", encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{release.path}: its new items are not readable: {error}") from error
    item_bins, launched, keys, starts, prior, weights = parts
    fits = len(item_bins) == len(launched) == len(ids) and len(prior) == len(keys)
    if not fits or len(vectors) != len(records) or weights.shape != (len(EVIDENCE), len(starts) - 1):
        raise ReleaseError(f"{release.path}: the files of new items do not fit together: train again")
    model = NewItemModel(Bins(keys, starts), weights, prior, item_bins, launched)
    return StoredNewItems(model, {item: place for place, item in enumerate(ids)}, records, vectors)


def bins_of(
    model: NewItemModel, schema: FeatureSchema, records: Sequence[Mapping[str, Any]]
) -> npt.NDArray[np.int32]:
    """The bins of any items by their content, int32 [P, G]: of those that came after the release too."""
    _, features, _ = encode_items(schema, records)
    return model.bins.find(group_keys(schema, features)).astype(np.int32)
