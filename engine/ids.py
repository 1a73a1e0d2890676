"""The one spelling of an id, and which texts are no id.

Prepare, training, loaders, services and the shop ask here: all of them may import it (docs/adr/0171).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_ID_BYTES = 256
NO_IDS = ("nan", "NaN", "null", "NULL", "\\N", "None")
"""How files say "unknown": no user and no item has such an id, and as a feature's value each is no value."""
BLANKS = "".join(char for char in map(chr, range(0x3001)) if char.isspace())
"""What is cut off at both ends of an id."""
CONTROL = "\\x00-\\x1f\\x7f-\\x9f"
"""C0, DEL and C1, what a terminal or a log would act on, as a range of a regular expression."""

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)\.0+")
_CONTROL = re.compile(f"[{CONTROL}]")
_NO_IDS = frozenset(NO_IDS)


def canonical_id(text: str) -> str:
    """The one spelling of an id or a category's value: ``" 5.0 "`` and ``"5"`` are both ``"5"``.

    >>> canonical_id("5.0"), canonical_id("5.50"), canonical_id("007"), canonical_id("v1.0")
    ('5', '5.50', '007', 'v1.0')
    """
    text = text.strip()
    match = _WHOLE_NUMBER.fullmatch(text) if text.endswith("0") else None
    return match.group(1) if match else text


def canonical_ids(texts: Sequence[str]) -> Sequence[str]:
    """`canonical_id` of each; as a rule all are canonical, which one look tells."""
    return texts if "".join(texts).isalnum() else list(map(canonical_id, texts))


def id_problem(text: str) -> str:
    """Why a text in its canonical spelling is no id; "" if it is one.

    >>> id_problem("5"), id_problem("nan")
    ('', "is a word for 'unknown', not an id")
    """
    return "is a word for 'unknown', not an id" if means_unknown(text) else name_problem(text)


def means_unknown(text: str) -> bool:
    """Whether a text in its canonical spelling is a word for "unknown"."""
    return text in _NO_IDS


def name_problem(text: str) -> str:
    """Why a text is no name of something: not 1 to 256 bytes of UTF-8 without control characters; or ""."""
    if text.isascii() and text.isprintable() and 0 < len(text) <= MAX_ID_BYTES:  # nearly all of them
        return ""
    if not text:
        return f"must not be empty (1 to {MAX_ID_BYTES} bytes)"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "is not valid UTF-8 text"
    if size > MAX_ID_BYTES:
        return f"is {size} bytes long, allowed are 1 to {MAX_ID_BYTES}"
    return "contains a control character" if _CONTROL.search(text) else ""
