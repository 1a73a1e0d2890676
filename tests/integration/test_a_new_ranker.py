"""A ranker registered here, of some 30 lines and with feeds of its own choice, is trained and served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.prepare import main as prepare
from engine.features import DAY_MS, Event, FeatureSchema, UserContext, feed
from engine.release import Release, set_current
from engine.types import RecommendQuery
from models.paddle import F, nn, paddle
from models.registry import RANKERS, RankerKind
from models.training.config import QUICK, RankConfig, TowerConfig, TrainConfig
from models.training.dataset import load_prepared
from models.training.run import train
from services.bootstrap import Part
from services.rank.service import RankService
from tests.integration.programs import Program
from tests.integration.rank_routes import rank_by, serving
from tests.support.request_path import real_path

pytestmark = pytest.mark.integration

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
T = 5.0


@dataclass(frozen=True)
class AlikeSettings:
    """Hyperparameters of ``Alike``."""

    dim: int = 8
    places: int = 4


class Alike(nn.Layer):  # type: ignore[misc]  # Paddle has no types
    """How much the candidate is like the shopper's own nearest items, and a line in the crosses."""

    def __init__(self, schema: FeatureSchema, settings: AlikeSettings) -> None:
        super().__init__()
        self.feeds = (
            feed("item_codes", schema),
            feed("history_items", schema, settings.places),
            feed("rank_dense", schema),
        )
        self.items = nn.Embedding(schema.n_item_ids + 1, settings.dim)
        self.line = nn.Linear(self.feeds[2].shape[0], 1)
        self.register_buffer("scale", paddle.ones([self.feeds[2].shape[0]]))

    def fit_statistics(self, feeds: Mapping[str, np.ndarray]) -> None:
        self.scale.set_value(1.0 / np.maximum(feeds["rank_dense"].std(axis=0), 0.01))

    def forward(self, feeds: Mapping[str, Any]) -> Any:
        item, history = self.items(feeds["item_codes"][:, 0]), self.items(feeds["history_items"])
        known = (feeds["history_items"] > 0).astype("float32").unsqueeze(-1)
        alike = (item * (history * known).sum(axis=1)).sum(axis=1)
        return alike + self.line(feeds["rank_dense"] * self.scale)[:, 0]

    def loss(self, feeds: Mapping[str, Any], labels: Any) -> Any:
        return F.binary_cross_entropy_with_logits(self.forward(feeds), labels)


CONFIG = TrainConfig(
    name="test",
    tower=TowerConfig(contexts_per_user=2, epochs=1, refit_epochs=1),
    rank=RankConfig(name="alike", settings={"places": 6}, cutoffs=1, epochs=1, refit_epochs=1),
    recall=QUICK.recall,
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("shop")
    assert prepare(["jdata", "--path", str(SAMPLE), "--name", "sample", "--out", str(folder)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RANKERS, "alike", RankerKind(Alike, AlikeSettings))
        path, _ = train(load_prepared(folder / "sample"), CONFIG, folder / "releases")
    set_current(path.name, path.parent)
    return Release.load(path)


@pytest.fixture(scope="module")
def routes(
    release: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Part[RankService]]]:
    program: Program = serving(release.path / "manifest.json", release.path, tmp_path_factory.mktemp("log"))
    program.start()
    parts = {
        "onnx": rank_by("onnx://", release.path),
        "serving": rank_by(f"serving://{program.address}", release.path),
    }
    yield parts
    for part in parts.values():
        part.close()
    program.stop()


def shopper(release: Release) -> UserContext:
    bought = release.items.ids[3:9]
    events = [Event(item, "purchase", release.data_end - n * DAY_MS) for n, item in enumerate(bought, 1)]
    return UserContext("u", {"age": "3"}, events, release.data_end + 1)


def test_the_manifest_says_what_it_reads_and_with_which_settings(release: Release) -> None:
    described = release.manifest["models"]["rank"]
    assert described["network"] == {"name": "alike", "settings": {"dim": 8, "places": 6}}
    assert [(entry.name, entry.dtype.name) for entry in release.rank_feeds] == [
        ("item_codes", "int64"),
        ("history_items", "int64"),
        ("rank_dense", "float32"),
    ]
    assert release.rank_feeds[1].shape == (6,)
    assert max(described["max_difference"].values()) <= 1e-5


def test_both_routes_score_alike_and_what_is_bought_counts(
    release: Release, routes: dict[str, Part[RankService]]
) -> None:
    for part in routes.values():
        part.ready()
    items, context = release.items.ids[:200], shopper(release)
    stranger = UserContext("", {}, (), context.now)
    found = {
        name: [part.service.rank_items(who, items, T).scores for who in (context, stranger)]
        for name, part in routes.items()
    }
    np.testing.assert_allclose(found["onnx"], found["serving"], rtol=0, atol=1e-5)
    mine, others = found["onnx"]
    assert np.ptp(mine) > 0.01
    assert np.abs(mine - others).max() > 0.01


@pytest.mark.parametrize("route", ["onnx", "serving"])
def test_it_recommends_and_its_scores_are_explained(
    release: Release, routes: dict[str, Part[RankService]], route: str
) -> None:
    rank = routes[route].service
    query = RecommendQuery(session_item_ids=tuple(release.items.ids[3:9]))
    page = real_path(release.path, rank=rank).recommend.recommend(query, T)
    assert not page.degraded
    assert len({item.item_id for item in page.items}) == 20
    explained = rank.explain_items(shopper(release), release.items.ids[3:9], T).items
    told = {part.feature for item in explained for part in item.contributions}
    assert {"history", "this item itself", "last bought"} & told
