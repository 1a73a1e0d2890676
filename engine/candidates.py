"""Candidates as columns, from recall to the page; ids and texts are made for what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol, overload

import numpy as np
import numpy.typing as npt

from engine.vocabulary import ALL_CHANNELS, Degradation

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

CHANNEL_NUMBER = {name: number for number, name in enumerate(ALL_CHANNELS)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate in words; `channels[0]` decided its place."""

    item_id: str
    score: float
    channels: tuple[str, ...]
    reason_item_id: str = ""
    reason_segment: str = ""


class ItemIds(Protocol):
    """The ids of rows. `release`: whose rows they are; "" where rows are numbered for one list only."""

    release: str

    def __getitem__(self, row: int, /) -> str: ...

    def row_of(self, ids: Iterable[str]) -> Rows:
        """int64 [n], -1 for an id that has no row here."""
        ...


class NamedItems:
    """Rows of one list whose items came by their ids, as from a release that is not loaded here."""

    release = ""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = list(dict.fromkeys(ids))
        self._row = {item_id: row for row, item_id in enumerate(self._ids)}

    def __getitem__(self, row: int, /) -> str:
        return self._ids[row]

    def row_of(self, ids: Iterable[str]) -> Rows:
        """See `ItemIds`."""
        return np.array([self._row.get(item_id, -1) for item_id in ids], np.int64)


@dataclass(frozen=True, eq=False)
class Candidates(Sequence[Candidate]):
    """k candidates, best first. Read one by one they are `Candidate`s.

    `rows` int64 [k], distinct; `scores` float32 [k] in (0, 1], falling; `bits` int64 [k]: bit c is set where
    `ALL_CHANNELS[c]` named the item; `deciding` int64 [k]: the channel that gave it its place; `reason_rows`
    int64 [k]: the shopper's item that led to it, -1 = none; `segments` int64 [k]: place in `segment_names` of
    the feature that is shared, -1 = none.
    """

    rows: Rows
    scores: Floats
    bits: Rows
    deciding: Rows
    reason_rows: Rows
    segments: Rows
    ids: ItemIds = field(repr=False)
    segment_names: Sequence[str] = ()

    @classmethod
    def of(cls, named: Iterable[Candidate]) -> Candidates:
        """From candidates in words."""
        listed = list(named)
        ids = NamedItems(
            [one.item_id for one in listed] + [one.reason_item_id for one in listed if one.reason_item_id]
        )
        names = list(dict.fromkeys(one.reason_segment for one in listed if one.reason_segment))
        numbers = [
            [CHANNEL_NUMBER[name] for name in one.channels if name in CHANNEL_NUMBER] for one in listed
        ]
        return cls(
            ids.row_of(one.item_id for one in listed),
            np.array([one.score for one in listed], np.float32),
            np.array([sum(1 << one for one in part) for part in numbers], np.int64),
            np.array([part[0] if part else -1 for part in numbers], np.int64),
            ids.row_of(one.reason_item_id for one in listed),
            np.array([names.index(s) if (s := one.reason_segment) else -1 for one in listed], np.int64),
            ids,
            tuple(names),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        """Whether both read the same; rows of different releases may."""
        return tuple(self) == tuple(other) if isinstance(other, Candidates) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # arrays can be changed

    @overload
    def __getitem__(self, place: int, /) -> Candidate: ...

    @overload
    def __getitem__(self, place: slice, /) -> tuple[Candidate, ...]: ...

    def __getitem__(self, place: int | slice, /) -> Candidate | tuple[Candidate, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(*place.indices(len(self))))
        return Candidate(
            self.item_id(place),
            float(self.scores[place]),
            self.channels(place),
            self.reason_item_id(place),
            self.segment(place),
        )

    def __iter__(self) -> Iterator[Candidate]:
        return (self[place] for place in range(len(self)))

    def item_id(self, place: int) -> str:
        """The item's id."""
        return self.ids[int(self.rows[place])]

    def item_ids(self) -> list[str]:
        """The ids of all, in order."""
        ids = self.ids
        return [ids[row] for row in self.rows.tolist()]

    def channels(self, place: int) -> tuple[str, ...]:
        """The deciding channel, then the others in the order of preference."""
        return channel_names(int(self.deciding[place]), int(self.bits[place]))

    def reason_item_id(self, place: int) -> str:
        """The shopper's item that led to it; "" for none."""
        row = int(self.reason_rows[place])
        return self.ids[row] if row >= 0 else ""

    def segment(self, place: int) -> str:
        """The shared feature as `name=value`; "" for none."""
        number = int(self.segments[place])
        return self.segment_names[number] if number >= 0 else ""

    def named_by(self, channel: str) -> npt.NDArray[np.bool_]:
        """Whether the channel named each, bool [k]."""
        return (self.bits >> CHANNEL_NUMBER[channel] & 1).astype(np.bool_)

    def take(self, places: Rows | Sequence[int]) -> Candidates:
        """These places, in their order."""
        at = np.asarray(places, np.int64)
        return replace(
            self,
            rows=self.rows[at],
            scores=self.scores[at],
            bits=self.bits[at],
            deciding=self.deciding[at],
            reason_rows=self.reason_rows[at],
            segments=self.segments[at],
        )

    def of_channels(self, channels: Sequence[str]) -> Candidates:
        """What these channels named, as if they alone had been asked; all of it for none."""
        if not channels:
            return self
        asked = sum(1 << CHANNEL_NUMBER[name] for name in channels)
        kept = self.take(np.flatnonzero(self.bits & asked))
        bits = kept.bits & asked
        lowest = np.log2(bits & -bits).astype(np.int64)
        decided = (asked >> np.maximum(kept.deciding, 0) & 1).astype(np.bool_)
        return replace(kept, bits=bits, deciding=np.where(decided, kept.deciding, lowest))


_NONE = np.empty(0, np.int64)
NO_CANDIDATES = Candidates(_NONE, np.empty(0, np.float32), _NONE, _NONE, _NONE, _NONE, NamedItems(()))


@lru_cache(maxsize=1024)
def channel_names(deciding: int, bits: int) -> tuple[str, ...]:
    """The deciding channel's name, then the others' in the order of preference."""
    if deciding < 0:
        return ()
    others = (name for number, name in enumerate(ALL_CHANNELS) if bits >> number & 1 and number != deciding)
    return (ALL_CHANNELS[deciding], *others)


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """How many items a channel named, or why it failed."""

    channel: str
    found: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class RecallResult:
    """Candidates, best first, of one release."""

    candidates: Candidates
    release: str
    degraded: frozenset[Degradation] = frozenset()
    channels: tuple[ChannelReport, ...] = ()
