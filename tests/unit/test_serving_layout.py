"""PaddleServing's folder layout, as its own converter of 2021 wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.training.serving_layout import ServingVar, write_serving_layout

pytestmark = pytest.mark.unit

FEEDS = [ServingVar("sparse_ids", "int64", (300,)), ServingVar("dense", "float32", (13,))]
FETCHES = [ServingVar("fetch_name_0", "float32", (1,), alias="prob")]


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "rank"
    folder.mkdir()
    for name in ("model.json", "model.pdiparams", "model.onnx"):
        (folder / name).write_text(name)
    return folder


def test_the_model_is_copied_without_other_formats(model_dir: Path, tmp_path: Path) -> None:
    write_serving_layout(model_dir, tmp_path / "out", FEEDS, FETCHES)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "model.json",
        "model.pdiparams",
        "serving_server_conf.prototxt",
        "serving_server_conf.stream.prototxt",
    ]


def test_the_text_names_types_shapes_and_aliases(model_dir: Path, tmp_path: Path) -> None:
    write_serving_layout(model_dir, tmp_path / "out", FEEDS, FETCHES)
    text = (tmp_path / "out" / "serving_server_conf.prototxt").read_text()
    assert text.startswith(
        'feed_var {\n  name: "sparse_ids"\n  alias_name: "sparse_ids"\n  is_lod_tensor: false\n'
        "  feed_type: 0\n  shape: 300\n}\n"
    )
    assert text.endswith(
        'fetch_var {\n  name: "fetch_name_0"\n  alias_name: "prob"\n  is_lod_tensor: false\n'
        "  fetch_type: 1\n  shape: 1\n}\n"
    )


def test_the_bytes_are_the_same_message(model_dir: Path, tmp_path: Path) -> None:
    write_serving_layout(model_dir, tmp_path / "out", FEEDS[:1], [])
    feed = b"\x0a\x0asparse_ids\x12\x0asparse_ids\x18\x00\x20\x00\x28\xac\x02"
    stream = (tmp_path / "out" / "serving_server_conf.stream.prototxt").read_bytes()
    assert stream == b"\x0a" + bytes([len(feed)]) + feed


def test_an_incomplete_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="pdiparams"):
        write_serving_layout(tmp_path, tmp_path / "out", FEEDS, FETCHES)


def test_an_unknown_dtype_is_refused_before_anything_is_written(model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="text: PaddleServing has no dtype 'str'"):
        write_serving_layout(model_dir, tmp_path / "out", [ServingVar("text", "str", ())], FETCHES)
    assert not (tmp_path / "out").exists()
