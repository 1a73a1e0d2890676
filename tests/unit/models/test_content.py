"""Items alike by what is written about them: sensible, the same in training and serving, bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.features.text import TextHasher
from engine.recall.content import KEPT, ContentNeighbours, confirmed_by_purchases
from engine.recall.content_store import read_content
from engine.release import Release, ReleaseError
from models.training.content_fit import NEIGHBOURS, fit_content
from tests.support.gifts import gifts
from tests.support.releases import N_ITEMS, records, write_release

pytestmark = pytest.mark.unit

HASHER = TextHasher(7)
IN_RELEASE = 800


@pytest.fixture(scope="module")
def shop() -> tuple[list[dict[str, Any]], list[str], ContentNeighbours]:
    items, kinds = gifts()
    content = fit_content(items, np.arange(IN_RELEASE), np.zeros(IN_RELEASE, np.float32), 7)
    assert content is not None
    return items, kinds, content


def alike(*texts: str, popularity: tuple[float, ...] = (), **last: Any) -> list[int]:
    """Rows like the last of these titles, the others being the release."""
    known = len(texts) - 1
    items = [{"sku_id": str(place), "title": title} for place, title in enumerate(texts)]
    items[-1].update(last)
    items += gifts()[0]  # not in the release: they say which words are common
    content = fit_content(items, np.arange(known), np.array(popularity or [0.0] * known, np.float32), 7)
    assert content is not None
    return [row for row in content.rows[known].tolist() if row >= 0]


def test_items_without_sales_and_categories_have_neighbours_of_their_kind(
    shop: tuple[list[dict[str, Any]], list[str], ContentNeighbours],
) -> None:
    items, kinds, content = shop
    tail = range(IN_RELEASE, len(items))
    same = [[kinds[row] == kinds[item] for row in content.rows[item][:10]] for item in tail]
    assert len(tail) > 300
    assert (content.rows[IN_RELEASE:, :10] >= 0).all()
    assert np.mean(same) > 0.6  # by chance: 1 of 14


def test_what_is_registered_today_gets_what_training_would_have_given_it(
    shop: tuple[list[dict[str, Any]], list[str], ContentNeighbours],
) -> None:
    items, _, content = shop
    for item in range(IN_RELEASE, IN_RELEASE + 50):
        rows, scores = content.index.nearest(items[item], HASHER, NEIGHBOURS)
        np.testing.assert_array_equal(rows, content.rows[item])
        np.testing.assert_allclose(scores, content.scores[item], atol=1e-3)


def test_no_item_is_its_own_neighbour_and_no_item_stands_twice(
    shop: tuple[list[dict[str, Any]], list[str], ContentNeighbours],
) -> None:
    _, _, content = shop
    for row in range(IN_RELEASE):
        found = content.rows[row][content.rows[row] >= 0].tolist()
        assert row not in found
        assert len(set(found)) == len(found)


def test_an_item_is_few_entries_however_much_is_written(
    shop: tuple[list[dict[str, Any]], list[str], ContentNeighbours],
) -> None:
    assert len(shop[2].index.rows) <= KEPT * IN_RELEASE
    long = {"title": "Mug", "description": " ".join(f"word{n}" for n in range(5_000))}
    assert len(shop[2].index.nearest(long, HASHER, 5)[0]) <= 5


def test_plurals_compounds_and_other_spellings_come_together() -> None:
    assert alike("Blue lantern", "Mugs, set of 2", "Doormat", "Café mug")[0] == 1
    assert alike("Teelichthalter", "Bilderrahmen", "Kerzenhalter")[0] == 0
    assert alike("白色陶瓷杯", "红色雨伞", "蓝色陶瓷杯")[0] == 0


def test_a_description_and_a_category_tell_where_the_title_does_not() -> None:
    assert alike("Anna", "Boris", "Carla", popularity=(0, 0)) == []
    items = [
        {"sku_id": "0", "title": "Anna", "description": "Oak chair with armrests"},
        {"sku_id": "1", "title": "Boris", "description": "Steel desk lamp"},
        {"sku_id": "2", "title": "Carla", "description": "Chair of solid oak"},
        {"sku_id": "3", "title": "Dora", "category_path": ["Lamps"]},
        {"sku_id": "4", "title": "Emil", "category_path": ["Lamps"]},
        *gifts()[0],
    ]
    content = fit_content(items, np.array([0, 1, 3]), np.zeros(3, np.float32), 7)
    assert content is not None
    assert content.other_ids[:2] == ("2", "4")
    assert content.rows[3][:1].tolist() == [0]
    assert content.rows[4][:1].tolist() == [2]


def test_of_equal_titles_the_one_that_sells_comes_first() -> None:
    assert alike("Red mug", "Red mug", "Lamp", "Red mug", popularity=(0.1, 0.9, 0.5)) == [1, 0]


def test_what_shares_only_unknown_words_is_not_alike() -> None:
    items = [{"sku_id": str(n), "title": title} for n, title in enumerate(("Mug", "Lamp", "Doormat"))]
    content = fit_content(items, np.arange(3), np.zeros(3, np.float32), 7)
    assert content is not None
    assert len(content.index.nearest({"title": "Zyxgon quartz hyperdrive"}, HASHER, 5)[0]) == 0
    assert len(content.index.nearest({"title": None}, HASHER, 5)[0]) == 0


@pytest.mark.parametrize("title", ["", "   ", "!!!"])
def test_a_catalogue_of_which_nothing_is_written_has_no_index(title: str) -> None:
    items = [{"sku_id": str(n), "title": title} for n in range(5)]
    assert fit_content(items, np.arange(5), np.zeros(5, np.float32), 7) is None


def test_a_release_gives_back_what_was_written(tmp_path: Path) -> None:
    others = [{"sku_id": "tail", "title": "Item 7", "category_path": []}]
    release = Release.load(write_release(tmp_path, others=others))
    content = read_content(release)
    assert content is not None
    assert content.other_ids == ("tail",)
    assert content.rows[N_ITEMS][0] == 7
    wanted = fit_content([*records(), *others], np.arange(N_ITEMS), np.zeros(N_ITEMS, np.float32), 7)
    assert wanted is not None
    np.testing.assert_array_equal(content.rows, wanted.rows)
    assert content.index.rarest == pytest.approx(wanted.index.rarest)


def test_a_release_without_such_files_has_none_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    assert read_content(Release.load(write_release(tmp_path / "plain"))) is None
    folder = write_release(tmp_path / "more", others=[])
    release = Release.load(folder)
    np.save(folder / "content_boosts.npy", np.ones(3, np.float32))
    with pytest.raises(ReleaseError, match="train again"):
        read_content(release)


def test_purchases_confirm_what_is_written_alike_or_do_not() -> None:
    rng = np.random.default_rng(5)
    kinds = np.arange(200) % 10
    same = np.stack([rng.choice(np.flatnonzero(kinds == kind), 15, replace=False) for kind in kinds])
    chance = np.stack([rng.choice(200, 15, replace=False) for _ in kinds])
    bought = np.full((200, 30), -1, np.int32)
    for row, kind in enumerate(kinds.tolist()):
        bought[row, :20] = rng.permutation(np.flatnonzero(kinds == kind))

    assert confirmed_by_purchases(same.astype(np.int32), bought) > 100
    assert 0.7 < confirmed_by_purchases(chance.astype(np.int32), bought) < 1.4
    assert np.isnan(confirmed_by_purchases(np.full((200, 15), -1, np.int32), bought))
