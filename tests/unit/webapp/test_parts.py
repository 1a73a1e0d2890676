"""The parts below the pages: signing key, shared cache, dataset description, pictures, words, forms."""

from __future__ import annotations

import json
import re
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import Babel
from flask_caching import Cache
from werkzeug.datastructures import MultiDict

from engine.dataset import Dataset, Feature, dataset_of
from engine.errors import InvalidArgument, Unavailable
from engine.types import Item, Reason
from tests.unit.webapp.conftest import NOWHERE
from webapp.assets import STATIC
from webapp.cache import JsonSerializer, SharedCache
from webapp.cache_counters import CacheCount, CacheCounters
from webapp.dataset import NO_DATASET, DatasetSource
from webapp.pictures import HUES, PLACEHOLDER, WORDS, drawn, picture
from webapp.signing_key import FILE_NAME, SigningKeyError, signing_key
from webapp.storefront.cards import drawing
from webapp.storefront.forms import attributes_of, registration_form
from webapp.storefront.wording import category_text, money, reason_text

pytestmark = pytest.mark.unit


def test_all_front_ends_of_a_machine_share_one_private_key(tmp_path: Path) -> None:
    keys: list[str] = []
    starts = [
        threading.Thread(target=lambda: keys.append(signing_key("", tmp_path / "var"))) for _ in range(8)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(set(keys)) == 1
    assert len(keys[0]) == 64
    assert stat.S_IMODE((tmp_path / "var" / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "var").iterdir()] == [FILE_NAME]


def test_a_given_key_is_used_and_a_short_one_refused(tmp_path: Path) -> None:
    assert signing_key("sixteen letters!", tmp_path) == "sixteen letters!"
    with pytest.raises(SigningKeyError, match="at least 16"):
        signing_key("short", tmp_path)


def test_a_damaged_key_file_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("")
    with pytest.raises(SigningKeyError, match="too short"):
        signing_key("", tmp_path)


@pytest.fixture
def backend() -> Iterator[Cache]:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    with app.app_context():
        yield cache


@pytest.fixture
def shared(backend: Cache) -> SharedCache:
    return SharedCache(backend, CacheCounters(None))


def test_a_fresh_value_is_not_loaded_again(shared: SharedCache) -> None:
    assert shared.fetch("k", 60, lambda: 1, int) == 1
    assert shared.fetch("k", 60, lambda: 2, int) == 1


def test_an_old_value_is_loaded_again_and_kept_when_that_fails(shared: SharedCache) -> None:
    def failing() -> int:
        raise Unavailable("away")

    assert shared.fetch("k", 0, lambda: 1, int) == 1
    assert shared.fetch("k", 0, lambda: 2, int) == 2
    assert shared.fetch("k", 0, failing, int) == 2
    with pytest.raises(Unavailable):
        shared.fetch("other", 0, failing, int)


def test_a_fresh_copy_is_decoded_once_and_asks_nobody(shared: SharedCache, backend: Cache) -> None:
    decoded: list[int] = []

    def decode(raw: int) -> tuple[int]:
        decoded.append(raw)
        return (raw,)

    first = shared.fetch("k", 60, lambda: 1, decode)
    backend.clear()  # what is left is this process's copy
    assert shared.fetch("k", 60, lambda: 2, decode) is first
    assert decoded == [1]


def test_a_copy_is_no_fresher_than_what_another_front_end_made(
    shared: SharedCache, backend: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SharedCache(backend, CacheCounters(None))
    made = time.time()
    assert other.fetch("k", 60, lambda: 1, int) == 1
    monkeypatch.setattr(time, "time", lambda: made + 50)
    assert shared.fetch("k", 60, lambda: 2, int) == 1
    monkeypatch.setattr(time, "time", lambda: made + 61)
    assert shared.fetch("k", 60, lambda: 3, int) == 3
    assert other.fetch("k", 60, lambda: 4, int) == 3


def test_hits_and_misses_are_counted_by_the_name_of_the_key(shared: SharedCache) -> None:
    def failing() -> int:
        raise Unavailable("away")

    for key in ("rail:new", "rail:new", "rail:trending", "search:1"):
        shared.fetch(key, 60, lambda: 1, int)
    shared.fetch("search:1", 0, failing, int)
    assert shared.stats() == {"rail": CacheCount(1, 2), "search": CacheCount(0, 2, 1)}
    assert shared.stats()["rail"].hit_rate == pytest.approx(1 / 3)


def test_a_mistake_of_the_caller_is_not_hidden_by_an_old_value(shared: SharedCache) -> None:
    def wrong() -> int:
        raise InvalidArgument("page_token", "is not one of ours")

    shared.fetch("k", 0, lambda: 1, int)
    with pytest.raises(InvalidArgument):
        shared.fetch("k", 0, wrong, int)


def test_without_redis_the_processs_own_copy_answers() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "webapp.cache.JsonRedisCache", "CACHE_REDIS_URL": NOWHERE})
    with app.app_context():
        shared = SharedCache(cache, CacheCounters(NOWHERE))
        assert shared.fetch("k", 60, lambda: [1, "a"], list) == [1, "a"]
        assert shared.fetch("k", 60, lambda: [2], list) == [1, "a"]


def test_cached_bytes_are_json_and_never_unpickled() -> None:
    serializer = JsonSerializer()
    assert serializer.loads(serializer.dumps([1.5, {"a": "é"}])) == [1.5, {"a": "é"}]
    assert serializer.loads(b"!\x80\x04K\x01.") is None
    assert serializer.loads(None) is None


def test_the_description_is_read_from_the_prepared_folder_without_redis(tmp_path: Path) -> None:
    file = tmp_path / "dataset.toml"
    source = DatasetSource(NOWHERE, file)
    assert source.get() == NO_DATASET
    file.write_text('[dataset]\nname = "demo"\n[[user_feature]]\nname = "city_level"\n')
    info = DatasetSource(NOWHERE, file).get()
    assert info.title == "demo"
    assert info.user_feature("city_level").label() == "City level"


@pytest.mark.parametrize(
    "raw", [{}, {"dataset": 1}, {"dataset": {}}, {"dataset": {"name": "a"}, "user_feature": [1]}]
)
def test_what_is_no_description_is_a_value_error(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="dataset"):
        dataset_of(raw)


def test_labels_are_in_the_language_asked_for() -> None:
    feature = Feature("age", display={"en": "Age", "zh": "年龄"})
    assert [feature.label(), feature.label("zh"), feature.label("fr")] == ["Age", "年龄", "Age"]


def test_a_picture_is_always_the_same_and_follows_the_category() -> None:
    assert drawn("Produce Tropical Fruit", "", "1") == drawn("Produce Tropical Fruit", "", "1")
    assert drawn("Produce Tropical Fruit", "", "1")[0] == "banana"
    assert drawn("Grocery Fluid Milk", "", "1")[0] == "carton"
    assert drawn("Electronics Headphones", "", "1")[0] == "headphones"
    assert drawn("Books Novels", "", "1")[0] == "book"
    assert drawn("Grocery Fluid Milk", "National", "1")[1] != drawn("Grocery Fluid Milk", "Private", "1")[1]


def test_a_product_without_known_words_gets_a_neutral_picture() -> None:
    assert drawn("", "", "1")[0] == PLACEHOLDER
    assert drawn("分类 17 商品", "", "1")[0] == PLACEHOLDER


def test_a_picture_is_drawn_only_where_the_category_says_what_it_is() -> None:
    assert drawing(Item("1", "Organic, large", ("Produce", "Tropical Fruit"))) != ""
    assert drawing(Item("1", "White hanging heart t-light holder with bread")) == ""
    assert drawing(Item("1", "Cat mug", ("Range 17",))) == ""


def test_nothing_of_a_products_text_reaches_its_picture(app: Flask) -> None:
    with app.test_request_context():
        drawing = picture('"><script>', '"><script>', '"><script>')
    assert "script" not in drawing
    assert " style=" not in drawing


def test_every_kind_of_picture_has_a_symbol_and_colours() -> None:
    symbols = set(re.findall(r'symbol id="(\w+)"', (STATIC / "pictures.svg").read_text(encoding="utf-8")))
    assert len(symbols) >= 60
    assert {name for name, _ in WORDS} | {PLACEHOLDER} <= symbols
    css = (STATIC / "shop.css").read_text(encoding="utf-8")
    assert all(f".h{number}{{" in css for number in range(HUES))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("because_of_item", "1", "Milk"), "Because you bought Milk"),
        (Reason("because_of_item", "2", "Tea"), "Because you looked at Tea"),
        (Reason("because_of_item", "3"), "Because you bought 3"),
        (Reason("because_of_item"), "Picked for you"),
        (Reason("bought_again", "1", "Milk"), "You bought this before"),
        (
            Reason("popular_in_segment", segment="age=45-54"),
            "Popular with households like yours (age 45-54)",
        ),
        (Reason("trending"), "Trending right now"),
        (Reason("new"), "New in the shop"),
        (Reason("popular"), "Popular with everyone"),
        (Reason("for_you"), "Chosen for your taste"),
        (Reason(), "Picked for you"),
    ],
)
def test_reasons_are_worded(reason: Reason, words: str) -> None:
    dataset = Dataset(
        "shop", "Shop", user_noun="household", user_features=(Feature("age", display={"en": "Age"}),)
    )
    assert reason_text(reason, dataset, {"2": "click", "1": "purchase"}) == words


def test_the_category_shown_is_not_what_the_title_says_already() -> None:
    path = ("Grocery", "Cookies", "Graham Crackers")
    assert category_text(Item("1", "Store Brand Graham Crackers", path)) == "Cookies"
    assert category_text(Item("1", "Honey Bears", path)) == "Graham Crackers"
    assert category_text(Item("1", "Honey Bears")) == ""


def test_prices_have_their_currency() -> None:
    assert [money(1234.5, "USD"), money(2, "SEK"), money(2, ""), money(None, "USD")] == [
        "$1,234.50",
        "2.00 SEK",
        "2.00",
        "",
    ]


def test_a_form_takes_every_kind_of_feature() -> None:
    features = (
        Feature("data", "categorical", values=("a", "b")),
        Feature("validate", "number"),
        Feature("likes", "multi", values=("x", "y", "z")),
        Feature("tags", "multi"),
        Feature("town", "categorical"),
        Feature("unanswered", "number"),
    )
    filled = MultiDict(
        [
            ("feature_data", "b"),
            ("feature_validate", "2.5"),
            ("feature_likes", "x"),
            ("feature_likes", "z"),
            ("feature_tags", "one, two ,"),
            ("feature_town", " Oslo "),
        ]
    )
    app = Flask(__name__)
    app.config.update(SECRET_KEY=json.dumps("any"), WTF_CSRF_ENABLED=False)
    Babel(app)
    with app.test_request_context("/", method="POST", data=filled):
        form = registration_form(features)
        assert form.validate_on_submit(), form.errors
        assert attributes_of(form, features) == {
            "data": "b",
            "validate": 2.5,
            "likes": ("x", "z"),
            "tags": ("one", "two"),
            "town": "Oslo",
        }


@pytest.mark.parametrize("number", ["nan", "inf", "ten"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    app = Flask(__name__)
    app.config.update(SECRET_KEY=json.dumps("any"), WTF_CSRF_ENABLED=False)
    Babel(app)
    with app.test_request_context("/", method="POST", data={"feature_spend": number}):
        assert not registration_form((Feature("spend", "number"),)).validate_on_submit()
