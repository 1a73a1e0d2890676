"""Titles and descriptions as numbers: words, parts of words, and where no spaces are written, pairs of signs.

    "Retro Mugs, 0.50 litre" ->  words  retro · mug · 0.5l     parts  <re <ret <retr ret retr retro …
    "白色陶瓷杯"              ->  words  白色 · 色陶 · 陶瓷 · 瓷杯

Case, accents, a plural s and the way a number or its unit is written make no difference. Parts are the 3 to
5 letters in a row of a word between marks of its ends; they bring together "Kerzenhalter" and
"Teelichthalter". A term's number is a hash with the schema's seed: the same on every machine.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from engine.features.hashing import hash_key, stable_hash

TITLE_LIMIT, DESCRIPTION_LIMIT = 512, 2_000  # characters that are read
_WORD_LIMIT = 32  # letters of a word that are read
_PARTS = (3, 4, 5)
_CACHE_LIMIT = 200_000  # words; the cache is emptied when full, so memory stays bounded

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"(?P<number>\d+(?:[.,]\d+)*)|(?P<signs>[{_CJK}]+)|(?P<letters>[^\W\d_{_CJK}]+)")
_SIGNS = re.compile(rf"[{_CJK}]{{2}}")
_ACCENTS = re.compile("[\u0300-\u036f]")
_APOSTROPHES = re.compile("['\u2019\u02bc]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_UNITS = {
    unit: name
    for name, units in {
        "l": "l lt ltr litre litres liter liters",
        "ml": "ml millilitre millilitres milliliter milliliters",
        "g": "g gr gram grams gramme grammes",
        "kg": "kg kgs kilo kilos kilogram kilograms",
        "oz": "oz ounce ounces",
        "lb": "lb lbs pound pounds",
        "mm": "mm millimetre millimetres millimeter millimeters",
        "cm": "cm centimetre centimetres centimeter centimeters",
        "m": "m metre metres meter meters",
        "in": "in inch inches",
        "pc": "pc pcs piece pieces stk stuck",
        "pk": "pk pack packs",
    }.items()
    for unit in units.split()
}


def words(text: str) -> list[str]:
    """The words of a text in order, normalised.

    >>> words("RETRO Café-Mug, 1,000.50 ML")
    ['retro', 'cafe', 'mug', '1000.5ml']
    >>> words("白色陶瓷杯 2个")
    ['白色', '色陶', '陶瓷', '瓷杯', '2', '个']
    """
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold()
    # Composed again: Korean syllables and Japanese voiced signs would fall apart
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", plain))
    found: list[str] = []
    number = False  # whether the last word is a number that waits for its unit
    for match in _TOKEN.finditer(plain):
        token = match.group()
        if match.lastgroup == "letters" and number and token in _UNITS:
            found[-1] += _UNITS[token]
        elif match.lastgroup == "signs" and len(token) > 1:
            found += [token[start : start + 2] for start in range(len(token) - 1)]
        else:
            found.append(_number(token) if match.lastgroup == "number" else _singular(token[:_WORD_LIMIT]))
        number = match.lastgroup == "number"
    return found


def parts(word: str) -> list[str]:
    """The parts of a word, none of a number or a pair of signs.

    >>> parts("mugs")
    ['<mu', 'mug', 'ugs', 'gs>', '<mug', 'mugs', 'ugs>', '<mugs', 'mugs>']
    """
    if word[0].isdigit() or _SIGNS.fullmatch(word):
        return []
    marked = f"<{word}>"
    return [marked[i : i + n] for n in _PARTS if n < len(marked) for i in range(len(marked) - n + 1)]


class TextHasher:
    """Terms of items as numbers of 32 bits. Words repeat from item to item, so what is known is kept."""

    def __init__(self, seed: int) -> None:
        self._key = hash_key(seed)
        self._known: dict[str, tuple[int, tuple[int, ...]]] = {}

    def bag(self, record: Mapping[str, Any], buckets: int, length: int) -> list[int]:
        """The distinct buckets 1 … buckets - 1 of an item in the Redis form, at most ``length``: the title's
        words, their parts, the description's words."""
        title, description = self._texts(record)
        terms = [number for number, _ in title]
        terms += [part for _, inner in title for part in inner]
        terms += [number for number, _ in description]
        return list(dict.fromkeys(1 + term % (buckets - 1) for term in terms))[:length]

    def terms(self, record: Mapping[str, Any]) -> tuple[set[int], set[int], set[int]]:
        """Numbers of the title's words, of their parts, and of the description's words."""
        title, description = self._texts(record)
        whole = {number for number, _ in title}
        return (
            whole,
            {part for _, inner in title for part in inner},
            {number for number, _ in description} - whole,
        )

    def number(self, kind: str, text: str) -> int:
        """The number of one term; kinds keep equal texts apart."""
        return stable_hash(self._key, kind, text) & 0xFFFF_FFFF

    def _texts(self, record: Mapping[str, Any]) -> tuple[list[tuple[int, tuple[int, ...]]], ...]:
        title = str(record.get("title") or "")[:TITLE_LIMIT]
        description = str(record.get("description") or "")[:DESCRIPTION_LIMIT]
        return tuple([self._word(word) for word in words(text)] for text in (title, description))

    def _word(self, word: str) -> tuple[int, tuple[int, ...]]:
        known = self._known.get(word)
        if known is None:
            if len(self._known) >= _CACHE_LIMIT:
                self._known.clear()
            inner = tuple(dict.fromkeys(self.number("part", part) for part in parts(word)))
            known = self._known[word] = (self.number("word", word), inner)
        return known


def _singular(word: str) -> str:
    """Without the s of a plural, as most European languages write it; what else ends so loses it alike."""
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "siu" else word


def _number(token: str) -> str:
    """A number in one form: 1,000 and 1000, 0,5 and 0.50."""
    plain = _THOUSANDS.sub("", token).replace(",", ".")
    if plain.count(".") == 1:
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("0") if plain.lstrip("0")[:1].isdigit() else plain
