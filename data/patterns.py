"""Patterns of names in mapping files: `BANK*` with wildcards, or `/^[A-Z]+$/` as a regular expression.

Matching is Arrow's RE2: its time grows with the text's length only, whatever the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_WILDCARDS = {"*": ".*", "?": "."}


def expression(pattern: str) -> str:
    """The regular expression of a pattern: wildcards fit the whole text, ``/…/`` is taken as it stands.

    >>> expression("gift_*"), expression("/^C[0-9]/")
    ('(?s)^gift_.*$', '^C[0-9]')
    """
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return pattern[1:-1]
    return "(?s)^" + "".join(_WILDCARDS.get(letter, re.escape(letter)) for letter in pattern) + "$"


def problem(pattern: str) -> str:
    """What is wrong with a pattern in one line; nothing if it can be used."""
    if not pattern:
        return "is empty"
    try:
        matches(pa.array([""]), [pattern])
    except pa.ArrowInvalid as error:
        return " ".join(str(error).split())
    return ""


def matches(texts: Any, patterns: Sequence[str]) -> Any:
    """Which texts ([N], Arrow) fit one of the patterns, upper and lower case alike: bool [N], null as no."""
    found = pa.repeat(pa.scalar(False), len(texts))
    for pattern in patterns:
        fits = pc.match_substring_regex(texts, expression(pattern), ignore_case=True)
        found = pc.or_(found, pc.fill_null(fits, False))
    return found
