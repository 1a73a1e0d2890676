"""`python -m tests.integration.paddle_ranker ARTIFACTS`: the tiny release with a DeepFM of Paddle's.

Exported as a trained one is. A program of its own, because Paddle takes a second of start and 300 MB that no
other test should carry.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from engine.features import Event, FeatureEncoder, FeatureSchema, ItemTable, UserContext
from engine.release import set_current
from models.layers import Calibrated
from models.paddle import paddle
from models.rankers.deepfm import DeepFm, DeepFmSettings
from models.training.export import export_network, serving_layout
from tests.support.releases import DATA_END, write_release


def export_ranker(folder: Path, schema: FeatureSchema, table: ItemTable) -> dict[str, Any]:
    """A seeded DeepFM that was not trained, made steep so that its scores differ."""
    paddle.seed(7)
    events = [Event("i5", "purchase", DATA_END - 10)]
    context = UserContext("u", {"age": "2"}, events, DATA_END)
    sample = FeatureEncoder(schema, table).rank(context, np.arange(100))
    network = Calibrated(DeepFm(schema, DeepFmSettings()), 20.0, 0.0)
    entry = export_network(network, sample, folder / "rank", "probability")
    serving_layout(folder / "rank", folder / "rank_serving", entry)
    return entry


if __name__ == "__main__":
    artifacts = Path(sys.argv[1])
    set_current(write_release(artifacts, export_ranker=export_ranker).name, artifacts)
