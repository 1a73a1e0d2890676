"""A release is read only if it is whole and unchanged, and becomes visible at once or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.features import FeatureSchema, ItemTable
from engine.recall.segments import Segments
from engine.release import (
    NETWORKS,
    Channels,
    Release,
    ReleaseError,
    ReleaseWriter,
    current,
    list_releases,
    set_current,
)
from tests.unit.models.conftest import NOW, record

pytestmark = pytest.mark.unit

RECORDS = [record(number) for number in range(12)]


def write(artifacts: Path, name: str, schema: FeatureSchema, table: ItemTable) -> Path:
    """A release whose networks are placeholders: loading checks their bytes, not their sense."""
    with ReleaseWriter(artifacts, name) as writer:
        writer.text("features.json", schema.to_json())
        writer.text("dataset.toml", "[dataset]\nname = 'tiny'\n")
        writer.catalogue(RECORDS)
        writer.text("item_ids.txt", "".join(f"{item}\n" for item in table.ids))
        for part, values in (("features", table.features), ("prices", table.prices), ("stats", table.stats)):
            writer.array(f"item_{part}.npy", values)
        writer.array("item_vectors.npy", np.eye(12, 4, dtype=np.float32))
        writer.array("neighbours.npy", np.full((12, 3), -1, np.int32))
        writer.array("neighbour_scores.npy", np.zeros((12, 3), np.float32))
        writer.text("channels.json", Channels([("3", 1.5)], [], [], {"age=25-34": [("4", 0.5)]}).to_json())
        effects = np.full((1, 1), 0.5, np.float32)
        writer.segments(Segments(("age=25-34",), np.array([4]), np.zeros(1, np.float32), effects, effects))
        for network in NETWORKS:
            (writer.path / network).mkdir()
            for suffix in ("json", "pdiparams", "onnx"):
                writer.text(f"{network}/model.{suffix}", network)
        return writer.publish({"fingerprint": schema.fingerprint(), "data_window": {"start": 0, "end": NOW}})


@pytest.fixture
def folder(tmp_path: Path, schema: FeatureSchema, table: ItemTable) -> Path:
    return write(tmp_path, "tiny-20260101T000000Z", schema, table)


def test_what_was_written_is_read_back(folder: Path, schema: FeatureSchema, table: ItemTable) -> None:
    release = Release.load(folder)
    assert release.name == "tiny-20260101T000000Z"
    assert release.schema == schema
    assert release.items.ids == table.ids
    assert release.items.data_end == release.data_end == NOW
    np.testing.assert_array_equal(release.items.features, table.features)
    assert isinstance(release.vectors.base, np.memmap)  # nothing is copied
    assert list(release.catalogue()) == RECORDS
    assert release.channels.popular == [("3", 1.5)]
    assert release.channels.segments == {"age=25-34": [("4", 0.5)]}
    assert release.rank_onnx.read_text() == "rank"


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "neighbours.npy").unlink()
    with pytest.raises(ReleaseError, match=r"neighbours\.npy: missing"):
        Release.load(folder)


def test_a_changed_file_is_named(folder: Path) -> None:
    with (folder / "rank/model.onnx").open("r+b") as file:
        file.write(b"R")
    with pytest.raises(ReleaseError, match=r"model\.onnx: its checksum"):
        Release.load(folder)


def test_a_cut_file_is_found_even_without_checksums(folder: Path) -> None:
    (folder / "channels.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"channels\.json: 2 bytes"):
        Release.load(folder, verify=False)


def test_another_fingerprint_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "0" * 64}))
    with pytest.raises(ReleaseError, match="fingerprint"):
        Release.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"files": {}}'])
def test_a_broken_manifest_is_refused_in_one_line(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ReleaseError, match=r"manifest\.json") as caught:
        Release.load(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="not a complete release"):
        Release.load(tmp_path)


def test_a_failed_publish_leaves_nothing(tmp_path: Path, schema: FeatureSchema) -> None:
    with ReleaseWriter(tmp_path, "half-1") as writer:
        writer.text("features.json", schema.to_json())
        with pytest.raises(ReleaseError, match="does not list"):
            writer.publish({"fingerprint": schema.fingerprint(), "data_window": {}})
    assert list(tmp_path.iterdir()) == []


def test_a_release_is_never_overwritten(folder: Path, schema: FeatureSchema, table: ItemTable) -> None:
    with pytest.raises(ReleaseError, match="exists already"):
        write(folder.parent, folder.name, schema, table)


def test_the_pointer_moves_to_releases_that_are_there(
    folder: Path, schema: FeatureSchema, table: ItemTable
) -> None:
    artifacts = folder.parent
    assert current(artifacts) is None
    newer = write(artifacts, "tiny-20260202T000000Z", schema, table).name
    assert list_releases(artifacts) == [newer, folder.name]
    set_current(newer, artifacts)
    assert current(artifacts) == newer
    set_current(folder.name, artifacts)
    assert current(artifacts) == folder.name
    with pytest.raises(ReleaseError, match="no such release"):
        set_current("tiny-20270101T000000Z", artifacts)
    assert current(artifacts) == folder.name
