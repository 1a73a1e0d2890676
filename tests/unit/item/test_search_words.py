"""Words, vocabulary and the index of words."""

from __future__ import annotations

import pytest

from engine.types import Item
from services.item.search.text import singulars, undoubled, variants, words
from services.item.search.vocabulary import Vocabulary
from services.item.search.words import WordIndex

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Whole Milk, 1 gal", ["whole", "milk", "1", "gal"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("绿茶 100 g", ["绿", "茶", "100", "g"]),
        ("a_b-c\x00d", ["a", "b", "c", "d"]),
        ('") OR (title:*', ["or", "title"]),
        ("!!!", []),
        ("x" * 200, ["x" * 64]),
        ("\ud800", []),
    ],
)
def test_texts_are_cut_into_plain_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_singular_and_plural_are_found_by_each_other() -> None:
    assert "banana" in variants("bananas")
    assert "bananas" in variants("banana")
    assert "strawberry" in variants("strawberries")
    assert "strawberries" in variants("strawberry")
    assert "dishes" in variants("dish")
    assert singulars("glass") == []
    assert singulars("tomatoes") == ["tomato"]
    assert undoubled("bannana") == undoubled("banana")


@pytest.fixture
def vocabulary() -> Vocabulary:
    made = Vocabulary()
    made.add(["bananas", "bread"])
    made.add(["bandana"])
    made.add(["bandana", "milk", "strawberries", "chocolate", "16oz"])
    made.freeze()
    return made


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bannana", "banana"),  # and not the bandana, which is as near and more frequent
        ("bnanas", "bananas"),
        ("strawbery", "strawberry"),
        ("chocolat", "chocolate"),
        ("mlik", "milk"),
        ("mil", "mil"),
        ("zzzzzz", "zzzzzz"),
        ("16oy", "16oy"),
    ],
)
def test_typing_errors_are_mended_to_what_is_there(vocabulary: Vocabulary, typed: str, meant: str) -> None:
    assert vocabulary.mended(typed) == meant


def test_beginnings_are_found(vocabulary: Vocabulary) -> None:
    assert vocabulary.beginning("ban") == ["bananas", "bandana"]
    assert vocabulary.beginning("zz") == []


def test_words_are_found_by_where_they_are_and_a_replaced_item_loses_its_words() -> None:
    index = WordIndex()
    index.put([(0, Item("a", "Milk")), (1, Item("b", "Biscuits", ("Milk",))), (2, Item("c", "Milkshake"))])
    found = index.match([["milk"]], "milk")
    assert [rows.tolist() for rows in found] == [[0, 1, 2], [0, 1, 2], [0, 2], [0]]
    index.put([(0, Item("a", "Juice"))])
    assert index.match([["milk"]], "milk").anywhere.tolist() == [1, 2]
    assert index.match([["juice", "biscuits"]], "").in_title.tolist() == [0, 1]
    index.put([(3, Item("d", "Tea", description="Best with milk."))])
    found = index.match([["milk"]], "")
    assert (found.anywhere.tolist(), found.named.tolist()) == ([1, 3], [1])
    index.close()
