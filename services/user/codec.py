"""Packed events: columns, so that a thousand decode in well under a millisecond.

    u8 version = 1 · u32 count n · n × i64 time in ms · n × u8 type · n × f64 value · text

All little-endian. The text is UTF-8 lines: n item ids; live events add n attribution tokens and n event ids.
Ids hold no control characters, so a newline never occurs inside one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.features import EventColumns
from engine.vocabulary import HISTORY_EVENT_TYPES

BROWSING = frozenset({"other", "view", "click"})
"""Types of which there are many and each says little; kept apart, so that they push out no others."""

_VERSION = 1
_HEAD = struct.Struct("<BI")
_ONE = struct.Struct("<BIqBd")  # a single event, up to its text
_CODES = {name: code for code, name in enumerate(HISTORY_EVENT_TYPES)}


class StoredEvent(NamedTuple):
    """An event of a user whose id is in the key."""

    item_id: str
    type: str
    at_ms: int
    value: float = 1.0
    attribution_token: str = ""
    event_id: str = ""


def pack(events: Sequence[StoredEvent]) -> bytes:
    """Events as bytes, in the order given. An event type that is not known becomes "other"."""
    n = len(events)
    ids, types, at, values, tokens, event_ids = zip(*events, strict=True) if n else ((),) * 6
    lines = [*ids, *tokens, *event_ids] if any(tokens) or any(event_ids) else ids
    return pack_columns(
        lines, struct.pack(f"<{n}q", *at), bytes(map(type_code, types)), struct.pack(f"<{n}d", *values)
    )


def pack_columns(lines: Sequence[str], at: bytes, types: bytes, values: bytes) -> bytes:
    """The same from columns that are packed already, one type byte an event: for loads in bulk."""
    return b"".join((_HEAD.pack(_VERSION, len(types)), at, types, values, "\n".join(lines).encode()))


def type_code(name: str) -> int:
    """The byte of an event type; 0, "other", for one that is not known."""
    return _CODES.get(name, 0)


def unpack_columns(blob: bytes) -> EventColumns:
    """Ids, types and times of what `pack` packed, without values and tokens; ValueError for anything else."""
    try:
        version, n = _HEAD.unpack_from(blob)
        if version != _VERSION:
            raise ValueError(f"packed events of version {version}, this program reads {_VERSION}")
        at = np.frombuffer(blob, "<i8", n, _HEAD.size)
        types = np.frombuffer(blob, np.int8, n, _HEAD.size + 8 * n)
        lines = blob[_HEAD.size + 17 * n :].decode().split("\n") if n else []
    except (struct.error, ValueError) as error:
        raise ValueError(f"not packed events: {error}") from error
    if len(lines) not in (n, 3 * n) or len(blob) < _HEAD.size + 17 * n:
        raise ValueError(f"not packed events: {len(lines)} texts for {n} events")
    if n and not 0 <= types.min() <= types.max() < len(HISTORY_EVENT_TYPES):
        raise ValueError(f"not packed events: types {types.min()} to {types.max()}")
    return EventColumns(lines[:n], types, at.astype(np.int64, copy=False))


def unpack(blob: bytes) -> list[StoredEvent]:
    """What `pack` packed; ValueError for anything else."""
    try:
        version, n = _HEAD.unpack_from(blob)
        if n == 1 and version == _VERSION:
            return [_one(blob)]
        if version != _VERSION:
            raise ValueError(f"packed events of version {version}, this program reads {_VERSION}")
        if not n:
            return []
        at_end = _HEAD.size + 8 * n
        types_end = at_end + n
        text = types_end + 8 * n
        at = struct.unpack_from(f"<{n}q", blob, _HEAD.size)
        types = [HISTORY_EVENT_TYPES[code] for code in blob[at_end:types_end]]
        values = struct.unpack_from(f"<{n}d", blob, types_end)
        lines = blob[text:].decode().split("\n")
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise ValueError(f"not packed events: {error}") from error
    if len(lines) == n:
        return list(map(StoredEvent, lines, types, at, values))
    if len(lines) != 3 * n:
        raise ValueError(f"not packed events: {len(lines)} texts for {n} events")
    return list(map(StoredEvent, lines[:n], types, at, values, lines[n : 2 * n], lines[2 * n :]))


def _one(blob: bytes) -> StoredEvent:
    """A single event, as live ones are: a thousand of them are read for one request."""
    _, _, at, code, value = _ONE.unpack_from(blob)
    lines = blob[_ONE.size :].decode().split("\n")
    if len(lines) not in (1, 3):
        raise ValueError(f"not packed events: {len(lines)} texts for 1 event")
    return StoredEvent(lines[0], HISTORY_EVENT_TYPES[code], at, value, *lines[1:])


def item_type_time(blob: bytes, start: int) -> tuple[str, int, int]:
    """Id, code of the type and time of the single packed event that begins at `start`.

    ValueError for anything else.
    """
    try:
        version, n, at, code, _ = _ONE.unpack_from(blob, start)
        lines = blob[start + _ONE.size :].decode().split("\n")
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"not packed events: {error}") from error
    if version != _VERSION or n != 1 or code >= len(HISTORY_EVENT_TYPES) or len(lines) not in (1, 3):
        raise ValueError("not packed events: not a single one of ours")
    return lines[0], code, at
