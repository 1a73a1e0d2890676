"""Load item vectors into Milvus: those of a release, or a text file in the original's form.

    python -m scripts.to_milvus --release models/artifacts/NAME
    python -m scripts.to_milvus --vectors product_vectors.txt      lines of the form id:[v1,v2,…]

A release becomes the collection `items_<release>`, a file `items_<name of the file>`. Running it again does
nothing; an interrupted load goes on where it was; readers use a collection only when it is complete.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine.release import Release, ReleaseError
from scripts.console import CommandError, fail, read_settings
from scripts.vectors_file import read_vectors

if TYPE_CHECKING:
    from services.adapters.milvus.collection import Description

_CONNECT_S = 10.0


@dataclass(frozen=True)
class Vectors:
    """What is to be loaded: `values` float32 [N, D], L2-normalised, in the order of `ids` [N]."""

    name: str
    fingerprint: str
    ids: Sequence[str]
    values: npt.NDArray[np.float32]


def from_release(folder: Path) -> Vectors:
    """The vectors of a release. Raises ReleaseError when it is not whole."""
    release = Release.load(folder)
    return Vectors(release.name, release.schema.fingerprint(), release.items.ids, release.vectors)


def from_file(path: Path) -> Vectors:
    """The vectors of a text file, normalised. Raises CommandError with file and line."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", path.stem)
    ids, values = read_vectors(path)
    return Vectors(name, hashlib.sha256(path.read_bytes()).hexdigest(), ids, values)


def load(vectors: Vectors, uri: str, token: str, *, replace: bool) -> tuple[str, int]:
    """Bring the vectors into Milvus; returns the collection's name and the rows written by this call.

    Raises IndexUnavailable or IndexMismatch.
    """
    # Here, because pymilvus takes more than a second to import, which --help and bad input need not wait for.
    from services.adapters.milvus.build import build_collection  # noqa: PLC0415
    from services.adapters.milvus.collection import connect, index_for, is_lite  # noqa: PLC0415

    client = connect(uri, token, _CONNECT_S)
    try:
        params = index_for(len(vectors.ids), lite=is_lite(client))
        description = describe(vectors, str(params["index_type"]))
        name = collection(vectors)
        with tqdm(total=len(vectors.ids), desc=name, unit=" rows", unit_scale=True, disable=None) as bar:

            def progress(done: int, total: int) -> None:
                bar.update(done - bar.n)

            written = build_collection(
                client, name, vectors.ids, vectors.values, description, params, progress, replace=replace
            )
    finally:
        client.close()
    return name, written


def describe(vectors: Vectors, index: str) -> Description:
    """What the collection says of itself."""
    from services.adapters.milvus.collection import Description  # noqa: PLC0415

    rows, dim = vectors.values.shape
    return Description(release=vectors.name, fingerprint=vectors.fingerprint, dim=dim, rows=rows, index=index)


def collection(vectors: Vectors) -> str:
    """The collection's name."""
    from services.adapters.milvus.collection import collection_name  # noqa: PLC0415

    return collection_name(vectors.name)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.to_milvus", description="Item vectors into Milvus."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--release", type=Path, help="a release's folder")
    source.add_argument("--vectors", type=Path, help="a text file of lines id:[v1,v2,…]")
    parser.add_argument("--uri", default="", help="http://host:port of Milvus (ECRS_INDEX)")
    parser.add_argument("--replace", action="store_true", help="drop what else has this name")
    parser.add_argument("--dry-run", action="store_true", help="check the input and say what would be loaded")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    options = _parse(argv)
    began = time.monotonic()
    try:
        settings = read_settings()
        vectors = from_release(options.release) if options.release else from_file(options.vectors)
        rows, dim = vectors.values.shape
        uri = options.uri or settings.milvus()
        if not uri:
            raise CommandError("ECRS_INDEX is exact://, which needs no loading: name a Milvus by --uri")
        if options.dry_run:
            print(f"{rows:,} vectors of {dim} numbers would become {collection(vectors)} at {uri}")
            return 0
        return _load(vectors, uri, settings.milvus_token.get_secret_value(), options.replace, began)
    except (CommandError, ReleaseError, OSError) as error:
        return fail("to_milvus", error)
    except KeyboardInterrupt:
        return fail("to_milvus", "interrupted; the same command goes on where it was") + 129


def _load(vectors: Vectors, uri: str, token: str, replace: bool, began: float) -> int:
    from engine.recall.index import IndexMismatch, IndexUnavailable  # noqa: PLC0415

    try:
        name, written = load(vectors, uri, token, replace=replace)
    except (IndexMismatch, IndexUnavailable, ValueError) as error:
        return fail("to_milvus", error)
    seconds = time.monotonic() - began
    print(f"{name}: {written:,} rows written, {len(vectors.ids):,} there ({seconds:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
