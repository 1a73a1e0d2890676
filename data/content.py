"""Descriptions, addresses and parents of items as every reader takes them; what does not fit is counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa

from engine.item_content import MAX_DESCRIPTION, is_picture_address, is_web_address

_MARKUP = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|&(?:[a-zA-Z]+|#[0-9]+);")
_BLOCKS = frozenset(("p", "br", "div", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6"))
_UNSEEN = frozenset({"script", "style"})
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def clean_content(columns: Mapping[str, Any], notes: Counter[str]) -> dict[str, Any]:
    """Columns of items with descriptions as plain text of at most 10,000 characters; without addresses
    that are none, and without parents that are the item itself.

    Args:
        columns: Arrow arrays by name; those of `ITEM_COLUMNS` that are missing stay so.
        notes: counts what was changed: `descriptions_cut`, `url_not_usable`, `image_url_not_usable`.
    """
    cleaned = dict(columns)
    if "description" in cleaned:
        cleaned["description"] = _map(cleaned["description"], lambda text: _description(text, notes))
    for name, fits in (("url", is_web_address), ("image_url", is_picture_address)):
        if name in cleaned:
            cleaned[name] = _addresses(cleaned[name], fits)
            lost = cleaned[name].null_count - columns[name].null_count
            if lost:
                notes[f"{name}_not_usable"] += lost
    if "variant_of" in cleaned:
        pairs = zip(cleaned["variant_of"].to_pylist(), cleaned["item_id"].to_pylist(), strict=True)
        # Many exports name an item as its own parent: it is the one that the others are variants of.
        own = [None if parent == item_id else parent for parent, item_id in pairs]
        cleaned["variant_of"] = pa.array(own, pa.string())
    return cleaned


def plain_text(text: str) -> str:
    """The text of a description: markup taken out, paragraphs as lines, no blank lines.

    >>> plain_text("<p>Soft &amp; warm</p><ul><li>wool</ul>")
    'Soft & warm\\nwool'
    """
    if _MARKUP.search(text):
        reader = _Text()
        reader.feed(text)
        reader.close()
        text = "".join(reader.parts)
    return _LINES.sub("\n", _SPACES.sub(" ", _CONTROL.sub(" ", text))).strip()


class _Text(HTMLParser):
    """Collects the text that a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


def _description(text: str, notes: Counter[str]) -> str | None:
    plain = plain_text(text)
    if len(plain) > MAX_DESCRIPTION:
        notes["descriptions_cut"] += 1
        plain = plain[:MAX_DESCRIPTION]
    return plain or None


def _addresses(values: Any, fits: Callable[[str], bool]) -> Any:
    return _map(values, lambda text: text if fits(text) else None)


def _map(values: Any, change: Callable[[str], str | None]) -> Any:
    return pa.array([None if one is None else change(one) for one in values.to_pylist()], pa.string())
