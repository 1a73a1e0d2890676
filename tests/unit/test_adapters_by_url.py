"""A URL chooses the vector index, the user tower and the ranker's network, in one place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.recall.exact import ExactSearch
from engine.release import Release
from services.adapters.by_url import open_predictor, open_search, open_tower
from services.adapters.vector_search import GuardedSearch
from tests.support.releases import write_release

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return Release.load(write_release(tmp_path_factory.mktemp("artifacts")))


def test_exact_search_is_asked_for_by_name(release: Release) -> None:
    search = open_search("exact://", release, exact_limit=0)
    assert isinstance(search, ExactSearch)
    query = np.array(release.vectors[3])
    rows, scores, failed = search.nearest(query, 5, None, 1.0)
    assert rows.tolist() == np.argsort(-(release.vectors @ query), kind="stable")[:5].tolist()
    assert scores[0] == pytest.approx(1.0)
    assert not failed


@pytest.mark.parametrize("url", ["milvus://127.0.0.1:1", "http://127.0.0.1:1"])
def test_a_milvus_that_is_away_is_stood_in_for(release: Release, url: str) -> None:
    search = open_search(url, release, exact_limit=1_000)
    assert isinstance(search, GuardedSearch)
    query = np.array(release.vectors[3])
    rows, _, failed = search.nearest(query, 5, None, 0.5)
    assert failed
    assert rows.tolist() == open_search("exact://", release, 0).nearest(query, 5, None, 1.0)[0].tolist()


def test_unknown_urls_are_refused(release: Release) -> None:
    with pytest.raises(ValueError, match="exact://"):
        open_search("faiss://", release, 0)
    with pytest.raises(ValueError, match="onnx://"):
        open_tower("paddle://", release)
    with pytest.raises(ValueError, match="serving://"):
        open_predictor("torch://", Path(), release.name)


def test_what_no_url_names_is_not_imported(release: Release) -> None:
    code = f"""
import sys
from pathlib import Path
from engine.release import Release
from services.adapters.by_url import open_search, open_tower
release = Release.load(Path({str(release.path)!r}))
open_search("exact://", release, 0), open_tower("onnx://", release)
sys.exit(",".join(name for name in ("pymilvus", "paddle_serving", "redis") if name in sys.modules) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
