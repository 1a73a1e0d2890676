"""Real samples and first weights for bench/training_speed.py, as files that both frameworks read."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.training_job import USER_FEEDS, Job
from models.catalogue import build_schema, purchases_before, select_items
from models.config import QUICK
from models.dataset import CatalogueEvents, load_prepared
from models.features import DAY_MS, FeatureEncoder, FeatureSchema, ItemTable, cross_names, rank_slots
from models.features.encoder import USER_DENSE, sequence_category
from models.fitting import rank_batch_size, seed_everything
from models.moment import encode_items, encode_users, look
from models.registry import make_ranker, make_tower
from models.samples import RankSamples, active_users, rank_samples, tower_samples

# Neighbours by cosine: EASE takes half a minute and changes nothing that is measured here.
CONFIG = replace(QUICK, neighbour_method="cosine")
_TOWER_DECAY = 1e-5  # as models/train.py


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
    moment = look(base, bought, prepared.profiles, CONFIG)
    encoder = FeatureEncoder(schema, moment.table)
    seed_everything(CONFIG.seed)
    tower, ranker = make_tower(schema, CONFIG.tower), make_ranker(schema, CONFIG.rank)
    contexts = tower_samples(events, encoder, prepared.begin, begin, CONFIG, rng)
    # Untrained towers: which candidates the ranker sees does not change how fast it learns them.
    users = encode_users(tower, events, encoder, active_users(events, begin, prepared.end), begin)
    recaller = moment.recaller(encode_items(tower, base), CONFIG.recall)
    rows = rank_samples(events, encoder, recaller, users, (begin, prepared.end), CONFIG, rng)
    ranker.see(rows.dense)
    arrays = {**contexts.feeds, "positives": contexts.positives, "items": moment.table.features}
    arrays |= {"sparse": rows.sparse, "dense": rows.dense, "label": rows.label}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    with (folder / "schema.pickle").open("wb") as file:
        pickle.dump((schema, moment.table), file)
    for name, model in (("dssm", tower), ("deepfm", ranker)):
        np.savez(folder / f"{name}.npz", **{key: value.numpy() for key, value in model.state_dict().items()})
    steps = min(steps, len(contexts.positives) // CONFIG.tower.contexts_per_batch)  # one epoch at most
    common = {"folder": str(folder), "threads": 1, "steps": steps, "warm_up": warm_up, "seed": CONFIG.seed}
    return {"dssm": _dssm(schema, common), "deepfm": _deepfm(schema, rows, common)}


def _dssm(schema: FeatureSchema, common: dict[str, object]) -> Job:
    config = CONFIG.tower
    item = [slot.buckets for slot in schema.item_slots]
    user = [slot.buckets for slot in schema.user_slots]
    return Job(
        **common,  # type: ignore[arg-type]
        model="dssm",
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


def _deepfm(schema: FeatureSchema, rows: RankSamples, common: dict[str, object]) -> Job:
    config = CONFIG.rank
    batch = rank_batch_size(rows, config)
    return Job(
        **common,  # type: ignore[arg-type]
        model="deepfm",
        batch=batch,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        in_epoch=-(-len(rows.label) // batch),
        embedding_dim=config.embedding_dim,
        hidden=list(config.hidden),
        dropout=config.dropout,
        dense=len(cross_names(schema)),
        buckets={"rank": [int(count) for count in rank_slots(schema)]},
        feeds=["sparse", "dense"],
    )
