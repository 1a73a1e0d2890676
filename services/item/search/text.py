"""Cutting texts into words, the same way for items and queries."""

from __future__ import annotations

import re
import unicodedata

# A Chinese or Japanese character is a word of its own: those scripts put no spaces between words.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}_])\w)+")
_RUN = re.compile(r"(.)\1+")
_MOST = 64  # characters of a word that count


def words(text: str) -> list[str]:
    """The words of a text: small letters and digits only, without accents, in order."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return [word[:_MOST] for word in _WORD.findall(text.casefold())]


def singulars(word: str) -> list[str]:
    """What an English plural may be the plural of; nothing for other words."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith("ss"):
        return []
    if word.endswith("ies"):
        return [word[:-3] + "y", word[:-1]]
    if word.endswith(("oes", "ses", "xes", "zes", "ches", "shes")):
        return [word[:-2]]
    return [word[:-1]]


def undoubled(word: str) -> str:
    """The word with each run of one letter written once: "bannana" and "banana" are then the same."""
    return _RUN.sub(r"\1", word)


def variants(word: str) -> list[str]:
    """The word and the other number of it by the rules of English: "berries" and "berry"."""
    found = [word, *singulars(word)]
    if len(word) > 1 and not word.endswith("s") and word.isalpha():
        found.append(word[:-1] + "ies" if word.endswith("y") else word + "s")
    if word.endswith(("ch", "sh", "x", "ss", "o", "z")):
        found.append(word + "es")
    return found
