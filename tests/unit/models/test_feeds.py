"""Inputs of rankers by name: what they hold, who may declare them, and a ranker that reads the history."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.dataset import dataset_of
from engine.features import (
    DAY_MS,
    Event,
    FeatureEncoder,
    FeatureSchema,
    Feed,
    ItemTable,
    UserContext,
    codes_and_crosses,
    feed,
)
from engine.features.feeds import BUILDERS, CODES, HISTORY, columns_of
from engine.release import Release, ReleaseError
from models.evaluation import auc
from models.layers import Calibrated
from models.registry import make_ranker
from models.training.config import RankConfig
from models.training.export import TOLERANCE, export_network
from models.training.fitting import Checkpoints, fit, rank_batches, rank_logits, seed_everything
from models.training.samples import RankSamples
from tests.support.releases import DATA_END, DATASET, records, write_release

pytestmark = pytest.mark.unit

SCHEMA = FeatureSchema.from_dataset(dataset_of(DATASET), category_levels=2, n_item_ids=300)
PLACES = 5
# Item 0 has the neighbours 1, 2, 3; item 1 has 2 and 4.
NEIGHBOURS = np.full((300, 3), -1, np.int32)
NEIGHBOURS[0], NEIGHBOURS[1, :2] = (1, 2, 3), (2, 4)
SCORES = np.where(NEIGHBOURS >= 0, np.array([0.9, 0.5, 0.25], np.float32), 0).astype(np.float32)


@pytest.fixture(scope="module")
def table() -> ItemTable:
    made = ItemTable.from_records(SCHEMA, records(), DATA_END)
    return replace(made, neighbours=NEIGHBOURS, neighbour_scores=SCORES)


def shopper(*events: tuple[str, str]) -> UserContext:
    """Who did these things, one a day, the newest first."""
    past = [Event(item, kind, DATA_END - day * DAY_MS) for day, (item, kind) in enumerate(events, 1)]
    return UserContext("u", {"age": "2"}, past, DATA_END)


def every_feed() -> list[Feed]:
    return [feed(name, SCHEMA, PLACES) for name in BUILDERS]


def test_every_feed_is_as_it_is_declared(table: ItemTable) -> None:
    encoder = FeatureEncoder(SCHEMA, table, every_feed())
    for context in (shopper(("i0", "purchase"), ("i1", "view")), shopper()):
        built = encoder.rank(context, np.arange(7))
        assert list(built) == list(BUILDERS)
        for declared in encoder.rank_feeds:
            values = built[declared.name]
            assert (values.dtype, values.shape) == (declared.dtype, (7, *declared.shape))
            assert len(columns_of(declared, SCHEMA)) == declared.shape[0]
        both = np.concatenate([built["user_codes"], built["item_codes"]], axis=1)
        np.testing.assert_array_equal(both, built[CODES])


def test_the_history_is_sorted_by_how_near_the_candidate_it_is(table: ItemTable) -> None:
    encoder = FeatureEncoder(SCHEMA, table, [feed(name, SCHEMA, PLACES) for name in HISTORY])
    context = shopper(("i7", "dislike"), ("i1", "purchase"), ("i0", "purchase"), ("i9", "view"))
    items, scores, liked = encoder.rank(context, np.array([2, 4, 3, 2])).values()
    code = {name: row + 1 for row, name in enumerate(table.ids)}
    # 2 is a neighbour of both, 4 of i1 alone, 3 of i0 alone; the rest by how much it says of the shopper now.
    assert items[0].tolist() == [code["i1"], code["i0"], code["i9"], code["i7"], 0]
    assert items[2].tolist() == [code["i0"], code["i1"], code["i9"], code["i7"], 0]
    np.testing.assert_allclose(scores[0], [0.9, 0.5, 0, 0, 0])
    np.testing.assert_allclose(scores[1], [0.5, 0, 0, 0, 0])
    assert liked[0].tolist() == [1, 1, 1, -1, 0]
    np.testing.assert_array_equal(items[0], items[3])


def test_no_feed_depends_on_the_other_candidates(table: ItemTable) -> None:
    encoder = FeatureEncoder(SCHEMA, table, every_feed())
    context = shopper(("i0", "purchase"), ("i1", "cart"))
    rows = np.array([4, 2, 2, 0, 33])
    together = encoder.rank(context, rows)
    for place, row in enumerate(rows):
        for name, values in encoder.rank(context, np.array([row])).items():
            np.testing.assert_array_equal(values[0], together[name][place], err_msg=name)


def test_a_feed_that_nobody_can_build_is_refused(table: ItemTable) -> None:
    with pytest.raises(ValueError, match="no feed is called 'mood'; there are: history_items"):
        FeatureEncoder(SCHEMA, table, [Feed("mood", np.dtype("float32"), (1,))])
    wide = Feed("rank_dense", np.dtype("float32"), (3,))
    with pytest.raises(ValueError, match=r"feed rank_dense is declared float32 \[3\], here it is float32"):
        FeatureEncoder(SCHEMA, table, [wide])


def test_a_release_whose_ranker_reads_what_nobody_can_build_is_refused(tmp_path: Path) -> None:
    folder = write_release(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["models"]["rank"] = {"feeds": [{"name": "mood", "dtype": "float32", "shape": [1]}]}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ReleaseError, match=r"models\.rank\.feeds: .*no feed is called 'mood'"):
        Release.load(folder)


def test_the_history_ranker_learns_from_the_history_and_is_exported(table: ItemTable, tmp_path: Path) -> None:
    """What is taken is what goes with the shopper's own item; codes and crosses say nothing of it here."""
    settings = {"embedding_dim": 4, "hidden": (16,), "places": PLACES}
    config = RankConfig(name="history_deepfm", settings=settings, batch_size=64, negatives=2.0)
    seed_everything(3)
    ranker = make_ranker(SCHEMA, config)
    assert ranker.feeds[:2] == codes_and_crosses(SCHEMA)
    rng = np.random.default_rng(1)
    own, rows = rng.integers(0, 300, 600), 4
    encoder = FeatureEncoder(SCHEMA, table, ranker.feeds)
    parts, labels = [], []
    for item in own.tolist():
        built = encoder.rank(shopper((f"i{item}", "purchase")), rng.integers(0, 300, rows))
        near = rng.random(rows) < 0.4
        built["history_scores"] = np.zeros((rows, PLACES), np.float32)
        built["history_scores"][:, 0] = near
        built["history_liked"] = np.where(near[:, None], 1.0, -1.0).astype(np.float32).repeat(PLACES, axis=1)
        parts.append(built)
        labels.append(near)
    feeds = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    label = np.concatenate(labels).astype(np.float32)
    nothing = np.zeros(0, np.int64)
    samples = RankSamples(feeds, label, np.zeros(len(label), np.int32), nothing, nothing, nothing)
    ranker.fit_statistics(samples.feeds)
    batches = rank_batches(ranker, samples, config)
    fit("rank", ranker, 6, 1e-2, 0.0, batches, 3, Checkpoints(tmp_path / "kept"))
    assert auc(rank_logits(ranker, samples), label) > 0.8
    sample = {entry.name: feeds[entry.name][:200] for entry in ranker.feeds}
    entry = export_network(Calibrated(ranker, 1.0, 0.0), sample, tmp_path / "rank", "probability")
    assert [Feed.from_json(described) for described in entry["feeds"]] == list(ranker.feeds)
    assert max(entry["max_difference"].values()) <= TOLERANCE
