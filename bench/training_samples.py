"""Real samples and first weights for bench/training_speed.py, as files that both frameworks read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.training_job import USER_FEEDS, Job
from engine.features import DAY_MS, FeatureEncoder, FeatureSchema, ItemTable
from engine.features.encoder import USER_DENSE, sequence_category
from engine.features.feeds import CODES, CROSSES
from models.registry import make_ranker, make_tower, ranker_settings
from models.training.catalogue import build_schema, purchases_before, select_items
from models.training.config import QUICK
from models.training.dataset import CatalogueEvents, load_prepared
from models.training.fitting import rank_batch_size, rank_steps, seed_everything
from models.training.moment import encode_items, encode_users, knowledge_at
from models.training.samples import RankSamples, rank_samples, ranked_users, tower_samples

# Neighbours by cosine: EASE takes half a minute and changes nothing that is measured here. No texts: the
# networks of bench/training_torch.py read none.
CONFIG = replace(QUICK, neighbour_method="cosine", tower=replace(QUICK.tower, text_length=0))
_TOWER_DECAY = 1e-5  # as models/train.py
_ITEM_ARRAYS = ("features", "prices", "stats", "neighbours", "neighbour_scores")


def prepare(data: Path, folder: Path, steps: int, warm_up: int) -> dict[str, Job]:
    """Write samples of one moment, 28 days before the data's end, and the weights; returns a job a model."""
    prepared = load_prepared(data)
    rng = np.random.default_rng(CONFIG.seed)
    chosen = select_items(prepared, CONFIG.catalogue)
    records = [prepared.records[index] for index in chosen.tolist()]
    schema = build_schema(prepared, records, CONFIG)
    base = ItemTable.from_records(schema, records, prepared.end)
    row = np.full(len(prepared.item_ids) + 1, -1, np.int64)
    row[chosen] = np.arange(len(chosen))
    events = CatalogueEvents(prepared, row[prepared.events.item])
    window = int(CONFIG.window_days * DAY_MS)
    begin = prepared.end - window
    bought = purchases_before(events, len(base), begin)
    moment = knowledge_at(base, bought, prepared.profiles, np.full(len(base), np.nan), CONFIG)
    encoder = FeatureEncoder(schema, moment.table)
    seed_everything(CONFIG.seed)
    tower, ranker = make_tower(schema, CONFIG.tower), make_ranker(schema, CONFIG.rank)
    contexts = tower_samples(events, encoder, prepared.begin, begin, CONFIG, rng)
    # Untrained towers: which candidates the ranker sees does not change how fast it learns them.
    users = encode_users(tower, events, encoder, ranked_users(events, begin, prepared.end, CONFIG), begin)
    snapshot = moment.snapshot(encode_items(tower, base), CONFIG.channel_size)
    rows = rank_samples(events, encoder, snapshot, users, (begin, prepared.end), CONFIG, rng)
    ranker.fit_statistics(rows.feeds)
    arrays = {**contexts.feeds, "positives": contexts.positives, "items": moment.table.features}
    arrays |= {"sparse": rows.feeds[CODES], "dense": rows.feeds[CROSSES], "label": rows.label}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    write_items(moment.table, folder)
    for name, model in (("dssm", tower), ("deepfm", ranker)):
        np.savez(folder / f"{name}.npz", **{key: value.numpy() for key, value in model.state_dict().items()})
    common = {"folder": str(folder), "threads": 1, "warm_up": warm_up, "seed": CONFIG.seed}
    one_epoch = len(contexts.positives) // CONFIG.tower.contexts_per_batch
    jobs = {"dssm": _dssm(schema, common, min(steps, one_epoch))}
    buckets = _buckets(ranker.state_dict()["vectors.offsets"].numpy(), ranker.vectors.table.weight.shape[0])
    jobs["deepfm"] = _deepfm(rows, common, min(steps, rank_steps(rows, CONFIG.rank)), buckets)
    return jobs


def write_items(items: ItemTable, folder: Path) -> None:
    """Write the table into a folder: schema.json, item_ids.json and item_table.npz."""
    (folder / "schema.json").write_text(items.schema.to_json(), "utf-8")
    (folder / "item_ids.json").write_text(json.dumps(items.ids), "utf-8")
    arrays = {name: getattr(items, name) for name in _ITEM_ARRAYS}
    given = {name: array for name, array in arrays.items() if array is not None}
    np.savez(folder / "item_table.npz", data_end=np.int64(items.data_end), **given)


def read_items(folder: Path) -> ItemTable:
    """The table that ``write_items`` wrote."""
    schema = FeatureSchema.from_json((folder / "schema.json").read_text("utf-8"))
    ids = json.loads((folder / "item_ids.json").read_text("utf-8"))
    with np.load(folder / "item_table.npz") as file:
        arrays = dict(file)
    return ItemTable(schema, ids, data_end=int(arrays.pop("data_end")), **arrays)


def _buckets(offsets: npt.NDArray[np.int64], rows: int) -> list[int]:
    """How many rows of a table of embeddings each field has."""
    return [int(count) for count in np.diff([*offsets.tolist(), rows])]


def _dssm(schema: FeatureSchema, common: dict[str, object], steps: int) -> Job:
    config = CONFIG.tower
    item = [slot.buckets for slot in schema.item_slots]
    user = [slot.buckets for slot in schema.user_slots]
    return Job(
        **common,  # type: ignore[arg-type]
        model="dssm",
        steps=steps,
        batch=config.contexts_per_batch,
        learning_rate=config.learning_rate,
        weight_decay=_TOWER_DECAY,
        in_epoch=0,
        embedding_dim=config.embedding_dim,
        hidden=list(config.hidden),
        dropout=config.id_dropout,
        dense=USER_DENSE,
        buckets={"item": item, "user": user, "category": [sequence_category(schema).buckets]},
        feeds=USER_FEEDS,
        negatives=config.random_negatives,
        temperature=config.temperature,
    )


def _deepfm(rows: RankSamples, common: dict[str, object], steps: int, buckets: list[int]) -> Job:
    config = CONFIG.rank
    network = ranker_settings(config)
    taken = int((rows.label > 0).sum())
    drawn = min(round(config.negatives * max(taken, 1)), len(rows.label) - taken)
    return Job(
        **common,  # type: ignore[arg-type]
        model="deepfm",
        steps=steps,
        batch=rank_batch_size(rows, config),
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        in_epoch=rank_steps(rows, config),
        embedding_dim=network.embedding_dim,
        hidden=list(network.hidden),
        dropout=network.dropout,
        dense=rows.feeds[CROSSES].shape[1],
        buckets={"rank": buckets},
        feeds=["sparse", "dense"],
        negatives=drawn,
        intervals=network.intervals,
        members=network.members,
    )
