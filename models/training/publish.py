"""Writes a trained pair of models, with everything they are served with, as a release."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import STATS, FeatureEncoder, FeatureSchema, ItemTable, encode_texts, item_feeds
from engine.features import encode_items as encode_records
from engine.folded import FOLDER
from engine.recall.content_store import write_content
from engine.recall.new_items_store import write_new_items
from engine.release import SCHEMA, Channel, Channels, ReleaseWriter
from models.layers import Calibrated
from models.registry import ranker_settings
from models.training.config import TrainConfig
from models.training.content_fit import fit_content
from models.training.dataset import CatalogueEvents, PreparedData, Record
from models.training.export import export_folded, export_network, serving_layout
from models.training.fitting import encode
from models.training.moment import Moment, best, encode_items, user_feeds
from models.training.new_items_fit import NewItemFit
from models.training.samples import RankSamples, stack_feeds
from models.training.windows import validation_window

_SAMPLE_USERS, _SAMPLE_ROWS = 64, 512


@dataclass(frozen=True)
class Trained:
    """All that a release is made of."""

    data: PreparedData
    config: TrainConfig
    schema: FeatureSchema
    records: Sequence[Record]
    final: Moment
    events: CatalogueEvents
    tower: Any
    ranker: Any
    calibration: tuple[float, float]


def publish(trained: Trained, samples: RankSamples, metrics: dict[str, Any], artifacts: Path) -> Path:
    """Write the release; ``samples`` are real inputs to check the ranker's export on. Returns its folder."""
    data, schema, table = trained.data, trained.schema, trained.final.table
    now = datetime.now(timezone.utc)
    name = f"{data.name}-{now:%Y%m%dT%H%M%SZ}"
    with ReleaseWriter(artifacts, name) as writer:
        vectors = encode_items(trained.tower, table)
        writer.text(SCHEMA, schema.to_json())
        writer.text("dataset.toml", data.toml_text)
        writer.catalogue(trained.records)
        writer.text("item_ids.txt", "".join(f"{item}\n" for item in table.ids))
        writer.array("item_features.npy", table.features)
        if table.text is not None and trained.schema.text_length:
            writer.array("item_text.npy", table.text)
        writer.array("item_prices.npy", table.prices)
        writer.array("item_stats.npy", table.stats)
        writer.array("item_vectors.npy", vectors)
        if table.neighbours is not None and table.neighbour_scores is not None:
            writer.array("neighbours.npy", table.neighbours)
            writer.array("neighbour_scores.npy", table.neighbour_scores)
        writer.text("channels.json", _channels(trained).to_json())
        writer.segments(trained.final.segments)
        _new_items(trained, writer)
        _content(trained, writer)
        networks = _export(trained, samples, writer.path)
        return writer.publish(
            {
                "dataset": data.name,
                "created_at": now.isoformat(timespec="seconds"),
                "fingerprint": schema.fingerprint(),
                "seed": trained.config.seed,
                "config": asdict(trained.config),
                "data_window": {"start": data.begin, "end": data.end},
                "embedding_dim": int(vectors.shape[1]),
                "n_items": len(table),
                "n_users": len(data.user_ids),
                "metrics": metrics,
                "versions": _versions(),
                "models": networks,
            }
        )


def _new_items(trained: Trained, writer: ReleaseWriter) -> None:
    """Learn from past launches how well new items would suit whom; nothing where there were none."""
    data = trained.data
    window = validation_window(data.begin, data.end, trained.config.window_days)
    fit = NewItemFit(data, trained.schema, window, trained.config.seed)
    model = fit.fit(data.end)
    if model is None:
        return
    records = [data.records[item] for item in fit.unsold().tolist()]
    _, features, _ = encode_records(trained.schema, records)
    width = trained.config.tower.embedding_dim
    feeds = item_feeds(trained.schema, features, encode_texts(trained.schema, records))
    vectors = encode(trained.tower.item, feeds) if records else np.zeros((0, width), np.float32)
    write_new_items(writer, model, data.item_ids, records, vectors)


def _content(trained: Trained, writer: ReleaseWriter) -> None:
    """Which items of the data are alike by what is written about them; nothing where nothing is."""
    table, data = trained.final.table, trained.data
    place = {item: index for index, item in enumerate(data.item_ids)}
    chosen = np.array([place[item] for item in table.ids], np.int64)
    popularity = table.stats[:, STATS.index("popularity_90d")]
    content = fit_content(data.records, chosen, popularity, trained.schema.seed)
    if content is not None:
        write_content(writer, content)


def _export(trained: Trained, samples: RankSamples, folder: Path) -> dict[str, Any]:
    events, table = trained.events, trained.final.table
    encoder = FeatureEncoder(trained.schema, table)
    users = samples.user[:_SAMPLE_USERS].tolist()
    feeds = [user_feeds(events, encoder, user, trained.data.end) for user in users]
    user_sample = stack_feeds(feeds)
    item_sample = dict(encoder.item_tower(np.arange(min(len(table), _SAMPLE_ROWS))))
    rank_sample = {
        feed.name: samples.feeds[feed.name][:_SAMPLE_ROWS].astype(feed.dtype) for feed in trained.ranker.feeds
    }
    networks = {
        "user_tower": export_network(trained.tower.user, user_sample, folder / "user_tower", "user_vector"),
        "item_tower": export_network(trained.tower.item, item_sample, folder / "item_tower", "item_vector"),
        "rank": export_network(
            Calibrated(trained.ranker, *trained.calibration), rank_sample, folder / "rank", "probability"
        ),
    }
    serving_layout(folder / "rank", folder / "rank_serving", networks["rank"])
    if hasattr(trained.ranker, "fold"):  # a form for the compiled kernels, which not every ranker has
        folded = trained.ranker.fold(*trained.calibration)
        networks["rank"]["max_difference"]["folded"] = export_folded(
            Calibrated(trained.ranker, *trained.calibration), folded, rank_sample, folder / "rank" / FOLDER
        )
    ranker = trained.config.rank
    networks["rank"]["network"] = {"name": ranker.name, "settings": asdict(ranker_settings(ranker))}
    return networks


def _channels(trained: Trained) -> Channels:
    final, size = trained.final, trained.config.channel_size
    return Channels(
        popular=_listed(final.table, final.popular, size),
        trending=_listed(final.table, final.trending, size),
        new=_listed(final.table, final.new, size),
        segments=_segment_lists(final, size),
    )


def _segment_lists(final: Moment, size: int) -> dict[str, Channel]:
    """What a shopper would get who is known to belong to one segment, for readers of lists."""
    lists, segments = {}, final.segments
    for place, name in enumerate(segments.names):
        scores = np.zeros(len(final.table))
        scores[segments.rows] = segments.scores(np.array([place], np.int64))
        if not name.endswith("="):  # "told nothing of it" is nobody's list
            lists[name] = _listed(final.table, scores, size)
    return lists


def _listed(table: ItemTable, scores: npt.NDArray[np.float64], size: int) -> Channel:
    return [(table.ids[row], round(float(scores[row]), 6)) for row in best(scores, size).tolist()]


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "paddle": version("paddlepaddle"),
        "numpy": np.__version__,
        "onnxruntime": version("onnxruntime"),
    }
