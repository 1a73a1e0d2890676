"""The one definition of features: stable, time-correct, and never upset by a value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.dataset import dataset_of
from engine.features import (
    DAY_MS,
    Event,
    FeatureEncoder,
    FeatureSchema,
    ItemTable,
    UserContext,
    canonical,
    cross_names,
    rank_slots,
)
from engine.features.hashing import Hasher
from engine.features.schema import FORMAT_VERSION
from engine.ids import NO_IDS, canonical_id, id_problem
from tests.unit.models.conftest import DESCRIPTION, NOW, record

pytestmark = pytest.mark.unit


def column(encoder: FeatureEncoder, context: UserContext, name: str) -> np.ndarray:
    """One cross feature of all twelve items."""
    dense = encoder.rank(context, np.arange(12))["rank_dense"]
    return dense[:, cross_names(encoder.schema).index(name)]


def test_hashes_are_the_same_on_every_machine_forever() -> None:
    hasher = Hasher(7)
    found = [
        hasher.bucket(field, value, 1024)
        for field, value in (("age", "25-34"), ("brand", "5"), ("城市", "北京"))
    ]
    assert found == [966, 114, 350]


def test_another_seed_gives_other_buckets() -> None:
    values = [str(n) for n in range(50)]
    assert [Hasher(7).bucket("f", v, 4096) for v in values] != [
        Hasher(8).bucket("f", v, 4096) for v in values
    ]


@pytest.mark.parametrize("value", ["5", "5.0", 5, 5.0, " 5 ", "5.00"])
def test_five_is_five_however_it_is_written(value: object) -> None:
    assert Hasher(7).bucket("f", value, 1024) == Hasher(7).bucket("f", "5", 1024)


@pytest.mark.parametrize(
    ("value", "text"), [("5.05", "5.05"), ("a.0", "a.0"), (None, ""), ("-3.0", "-3"), ("nan", "")]
)
def test_other_texts_keep_their_form(value: object, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("word", [*NO_IDS, " nan ", "\\N "])
def test_a_word_for_unknown_is_neither_a_value_nor_an_id(word: str) -> None:
    assert canonical(word) == ""
    assert id_problem(canonical_id(word)) == "is a word for 'unknown', not an id"


@pytest.mark.parametrize("value", ["", None, float("nan"), "  ", *NO_IDS])
def test_nothing_known_is_bucket_zero(value: object) -> None:
    assert Hasher(7).bucket("f", value, 1024) == 0


def test_a_schema_survives_its_json(schema: FeatureSchema) -> None:
    again = FeatureSchema.from_json(schema.to_json())
    assert again == schema
    assert again.fingerprint() == schema.fingerprint()


def test_any_difference_changes_the_fingerprint(schema: FeatureSchema) -> None:
    assert replace(schema, seed=8).fingerprint() != schema.fingerprint()
    assert replace(schema, half_lives=(7.0, 90.0)).fingerprint() != schema.fingerprint()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', "null"])
def test_a_broken_schema_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="feature") as caught:
        FeatureSchema.from_json(text)
    assert "\n" not in str(caught.value)


def test_a_schema_of_another_version_says_to_train_again_whatever_else_it_holds(
    schema: FeatureSchema,
) -> None:
    text = json.dumps({**json.loads(schema.to_json()), "version": 1, "cross_buckets": 16})
    with pytest.raises(ValueError, match=f"version 1, this program reads {FORMAT_VERSION}: train again"):
        FeatureSchema.from_json(text)


def test_an_unknown_positive_type_is_named() -> None:
    with pytest.raises(ValueError, match="'gift'"):
        FeatureSchema.from_dataset(dataset_of({**DESCRIPTION, "events": {"positive": ["gift"]}}))


def test_feeds_have_the_shapes_that_the_networks_expect(
    encoder: FeatureEncoder, context: UserContext
) -> None:
    user = encoder.user_tower(context)
    assert {name: (values.shape, str(values.dtype)) for name, values in user.items()} == {
        "user_sparse": ((1, 5), "int64"),  # age, income, three hobbies
        "user_dense": ((1, 3), "float32"),
        "sequence_items": ((1, 8), "int64"),
        "sequence_categories": ((1, 8), "int64"),
        "sequence_weights": ((1, 8, 2), "float32"),
    }
    rank = encoder.rank(context, np.arange(12))
    assert rank["rank_sparse"].shape == (12, len(rank_slots(encoder.schema)))
    assert (rank["rank_sparse"] < np.array(rank_slots(encoder.schema))).all()
    assert rank["rank_sparse"].min() >= 0
    assert rank["rank_dense"].shape == (12, len(cross_names(encoder.schema)))
    assert np.isfinite(rank["rank_dense"]).all()


def test_what_was_bought_regularly_stands_out(encoder: FeatureEncoder, context: UserContext) -> None:
    counts = column(encoder, context, "count")
    assert counts.argmax() == 3
    assert counts[4] > counts[6] == 0
    assert column(encoder, context, "interval_ratio")[3] == pytest.approx(
        0.5
    )  # ten days after, every ten days
    assert column(encoder, context, "intent_look").argmax() == 5


def test_a_click_raises_the_items_like_it(encoder: FeatureEncoder, context: UserContext) -> None:
    clicked = replace(context, events=[Event("7", "click", NOW - 1), *context.events])
    before, after = (column(encoder, c, "category_2_short") for c in (context, clicked))
    assert after[11] > before[11]  # 7 and 11 share their category


def test_a_candidate_has_the_same_features_in_any_list(encoder: FeatureEncoder, context: UserContext) -> None:
    together = encoder.rank(context, np.array([9, 3, 3, 0]))["rank_dense"]
    alone = [encoder.rank(context, np.array([row]))["rank_dense"][0] for row in (9, 3, 3, 0)]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_events_at_or_after_now_change_nothing(encoder: FeatureEncoder, context: UserContext) -> None:
    later = [Event("6", "purchase", NOW + DAY_MS), Event("7", "purchase", NOW)]
    with_future = replace(context, events=[*later, *context.events])
    for name, values in encoder.rank(context, np.arange(12)).items():
        np.testing.assert_array_equal(values, encoder.rank(with_future, np.arange(12))[name])
    for name, values in encoder.user_tower(context).items():
        np.testing.assert_array_equal(values, encoder.user_tower(with_future)[name])


def test_a_request_counts_an_event_recorded_in_the_same_instant(encoder: FeatureEncoder) -> None:
    context = UserContext.at_request("u", {}, [Event("3", "click", NOW)], NOW)
    assert len(encoder.history(context).rows) == 1


def test_only_the_newest_events_of_a_long_history_count(encoder: FeatureEncoder) -> None:
    events = [Event("3", "purchase", NOW - 1 - n) for n in range(1500)]
    assert len(encoder.history(UserContext("u", {}, events, NOW)).rows) == encoder.schema.history_length


def test_a_list_out_of_order_is_put_right(encoder: FeatureEncoder, context: UserContext) -> None:
    mixed = replace(context, events=list(reversed(context.events)))
    np.testing.assert_array_equal(encoder.history(mixed).ages, encoder.history(context).ages)


def test_years_after_the_data_the_clock_stands_still(encoder: FeatureEncoder, context: UserContext) -> None:
    today = NOW + 3000 * DAY_MS
    live = [Event("8", "click", today - 1000), Event("9", "cart", today - 100 * DAY_MS)]
    ages = encoder.history(replace(context, events=[*live, *context.events], now=today)).ages
    assert ages[0] == pytest.approx(1000 / DAY_MS)
    assert ages[1] == 1.0
    assert ages[2:] == pytest.approx(encoder.history(context).ages + 1.0)
    assert (np.diff(ages) >= 0).all()


ODD = [
    UserContext("", {}, [], NOW),
    UserContext("x" * 10_000, {"age": "?" * 10_000, "income": "rich", "colour": "red"}, [], NOW),
    UserContext("u", {"age": ["a", "b"], "hobbies": "tea", "income": ["7"]}, [Event("", "", 0)], NOW),
    UserContext("u", {}, [Event("no such item", "no such type", NOW - 1)], NOW),
    UserContext("u", {"age": "\ud800"}, [Event("3", "dislike", -5)], NOW),
]


@pytest.mark.parametrize("odd", ODD)
def test_no_value_is_an_error(encoder: FeatureEncoder, odd: UserContext) -> None:
    assert np.isfinite(encoder.rank(odd, np.arange(12))["rank_dense"]).all()
    assert np.isfinite(encoder.user_tower(odd)["sequence_weights"]).all()
    assert encoder.rank(odd, np.zeros(0, np.int64))["rank_dense"].shape[0] == 0


def with_new_items(schema: FeatureSchema, *records: dict[str, Any]) -> ItemTable:
    """The twelve items of the schema, and further ones behind them."""
    return ItemTable.from_records(schema, [*(record(n) for n in range(12)), *records], NOW)


def test_a_new_item_is_known_by_its_content_only(schema: FeatureSchema) -> None:
    table = with_new_items(schema, {**record(3), "sku_id": "new"}, {"sku_id": "bare"})
    features = FeatureEncoder(schema, table).item_tower(table.row_of(["new"]))["item_sparse"][0]
    assert features[0] == 0
    np.testing.assert_array_equal(features[1:], table.features[3, 1:])
    assert table.row_of(["bare", "3", "unheard of"]).tolist() == [13, 3, -1]
    assert np.isnan(table.prices[13])


def test_new_items_can_be_ranked(schema: FeatureSchema, context: UserContext) -> None:
    table = with_new_items(schema, {**record(3), "sku_id": "new"})
    encoder = FeatureEncoder(schema, table)
    table.neighbours = np.array([[(row + 1) % 12, -1] for row in range(12)], np.int32)
    table.neighbour_scores = np.full((12, 2), 0.5, np.float32)
    row = table.row_of(["new"])
    bought_new = replace(context, events=[Event("new", "purchase", NOW - 1), *context.events])
    assert np.isfinite(encoder.rank(bought_new, np.append(row, 4))["rank_dense"]).all()
    assert column(encoder, bought_new, "neighbours")[4] > 0


_PRINT_FEEDS = """
from hashlib import sha256
import numpy as np
from engine.dataset import dataset_of
from engine.features import FeatureEncoder, FeatureSchema, ItemTable, UserContext, Event
from tests.unit.models.conftest import DESCRIPTION, NOW, record
schema = FeatureSchema.from_dataset(dataset_of(DESCRIPTION), category_levels=2, n_item_ids=12)
encoder = FeatureEncoder(schema, ItemTable.from_records(schema, [record(n) for n in range(12)], NOW))
events = [Event(str(n % 5), "purchase", NOW - n * 10**8) for n in range(1, 40)]
context = UserContext("u", {"age": "25-34", "hobbies": ["tea", "go"]}, events, NOW)
feeds = {**encoder.rank(context, np.arange(12)), **encoder.user_tower(context)}
print(schema.fingerprint(), *(sha256(feeds[name].tobytes()).hexdigest() for name in sorted(feeds)))
"""


def test_two_processes_with_other_hash_seeds_make_the_same_feeds() -> None:
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", _PRINT_FEEDS]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop().split()) == 8
