"""Explained scores over the tiny release, whose ranker is logistic: what each group adds is known exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.features import Event, UserContext, cross_names, feed, rank_slots
from engine.features.feeds import HISTORY
from engine.release import Release
from engine.types import ItemExplanation
from services.rank.groups import ITEM_ITSELF, groups_of
from tests.support.releases import write_release
from tests.support.request_path import real_rank
from tests.support.stand_ins import NOW

pytestmark = pytest.mark.unit

T = 2.0
DAY = 86_400_000
SHOPPER = UserContext(
    "u", {"age": "2"}, [Event("i5", "purchase", NOW - days * DAY) for days in (3, 10, 17)], NOW
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def explained(release: Path) -> list[ItemExplanation]:
    return list(real_rank(release).explain_items(SHOPPER, ["i5", "i6"], T).items)


def told(item: ItemExplanation) -> dict[str, str]:
    return {part.feature: part.value for part in item.contributions}


def test_every_feature_is_in_exactly_one_group(release: Path) -> None:
    loaded = Release.load(release)
    schema = loaded.schema
    history = [feed(name, schema, 8) for name in HISTORY]
    for feeds in (loaded.rank_feeds, (*loaded.rank_feeds, *history)):
        groups = groups_of(schema, feeds, {})
        for declared in feeds:
            columns = sorted(place for group in groups for place in group.columns.get(declared.name, []))
            assert columns == list(range(declared.shape[0]))
    assert groups[-1].columns.keys() == set(HISTORY), "what the history says is taken away at once"
    assert len({group.name for group in groups}) == len(groups)


def test_effects_of_an_additive_ranker_add_up_to_its_log_odds(
    release: Path, explained: list[ItemExplanation]
) -> None:
    # Without any feature only the bias of "unknown item" is left
    nothing = np.zeros((1, len(rank_slots(Release.load(release).schema))), np.int64)
    dense = np.zeros((1, len(cross_names(Release.load(release).schema))), np.float32)
    ranker = real_rank(release)._rankers.get("")
    base = float(ranker.probabilities({"rank_sparse": nothing, "rank_dense": dense}, T)[0])
    for item in explained:
        total = np.log(base / (1 - base)) + sum(part.effect for part in item.contributions)
        assert 1 / (1 + np.exp(-total)) == pytest.approx(item.score, abs=2e-3)


def test_what_was_bought_is_lifted_by_that_and_it_is_said_in_words(
    explained: list[ItemExplanation],
) -> None:
    bought, other = explained
    effects = {part.feature: part.effect for part in bought.contributions}
    assert effects["times bought"] > 0
    assert told(bought)["times bought"] == "3 times"
    assert told(bought)["last bought"] == "3 days ago"
    assert told(bought)["due again"] == "not yet"
    assert told(bought)["category affinity"] == "100% of this shopper's interest"
    assert told(bought)["price"] == "6.00"
    assert told(bought)[ITEM_ITSELF] == "Item 5"
    assert "times bought" not in told(other), "what adds nothing is not told"


def test_names_come_from_the_description_of_the_data(release: Path) -> None:
    loaded = Release.load(release)
    words = {"age": "Age group", "brand": "Maker"}
    names = [group.name for group in groups_of(loaded.schema, loaded.rank_feeds, words)]
    assert "shopper: age group" in names
    assert "shopper: sex" in names
    assert "item: maker" in names
