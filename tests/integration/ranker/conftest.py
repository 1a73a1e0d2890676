"""A tiny ranker as Paddle wrote it, and a PaddleServing server of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from models.training.serving_layout import ServingVar, write_serving_layout
from tests.integration.programs import Program, free_port
from tests.integration.ranker.tiny_release import BATCHES, DENSE, FIELDS, MODULE, RELEASE, Release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release")
    rank = folder / "rank"
    rank.mkdir()
    subprocess.run(
        [sys.executable, "-m", "tests.integration.ranker.tiny_ranker", str(rank)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    feeds = [ServingVar("sparse_ids", "int64", (FIELDS,)), ServingVar("dense_values", "float32", (DENSE,))]
    fetches = [ServingVar("fetch_name_0", "float32", (), alias="probability")]
    write_serving_layout(rank, folder / "rank_serving", feeds, fetches)
    described = [{"name": feed.name, "dtype": feed.dtype, "shape": list(feed.shape)} for feed in feeds]
    manifest = {"release": RELEASE, "models": {"rank": {"feeds": described}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    answers = np.load(rank / "cases.npz")
    cases = {
        rows: (
            {"sparse_ids": answers[f"{rows}_sparse"], "dense_values": answers[f"{rows}_dense"]},
            answers[f"{rows}_expected"],
        )
        for rows in BATCHES
    }
    return Release(folder, cases)


@pytest.fixture(scope="module")
def server(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(MODULE, release.arguments, free_port(), tmp_path_factory.mktemp("log") / "serving.log")
    program.start()
    yield program
    program.stop()
