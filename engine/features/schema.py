"""The one definition of features: which fields, in which order, with which buckets and lengths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

from engine.dataset import Dataset, Feature
from engine.features.hashing import Hasher, canonical
from engine.features.text import TextHasher
from engine.vocabulary import EVENT_CODE, HISTORY_EVENT_TYPES

FORMAT_VERSION = 4  # raised when the meaning of a feature changes: old releases are then refused
DEFAULT_BUCKETS = 1024
MULTI_SLOTS = 3  # how many values of a multi-valued feature are read
ALWAYS_ITEM_FIELDS = ("brand", "shop")
PRICE_BOUNDARIES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0, 100.0, 300.0, 1000.0)
# How much an event of a type says about interest, 0 to 1; purchases lead.
INTEREST = {
    "other": 0.1,
    "view": 0.3,
    "click": 0.3,
    "cart": 0.7,
    "purchase": 1.0,
    "favorite": 0.7,
    "comment": 0.5,
    "rate": 0.7,
    "dislike": 0.0,
}


@dataclass(frozen=True)
class Field:
    """One sparse feature. ``buckets`` counts bucket 0, the unknown; ``slots`` columns share its buckets."""

    name: str
    kind: str  # categorical | number | multi
    buckets: int
    boundaries: tuple[float, ...] = ()
    slots: int = 1

    def encode(self, value: object, hasher: Hasher) -> list[int]:
        """The bucket of each slot; 0 where nothing is known. Never raises for a value."""
        if self.kind == "number":
            return [self._interval(value)]
        if self.kind == "multi":
            values = value if isinstance(value, list | tuple) else [] if value is None else [value]
            codes = [hasher.bucket(self.name, v, self.buckets) for v in values[: self.slots]]
            return codes + [0] * (self.slots - len(codes))
        if isinstance(value, list | tuple):
            value = value[0] if value else None
        return [hasher.bucket(self.name, value, self.buckets)]

    def _interval(self, value: object) -> int:
        number = as_number(value)
        if number is None:
            return 0
        return 1 + sum(number >= bound for bound in self.boundaries)


@dataclass(frozen=True)
class FeatureSchema:
    """Everything that turns a context and items into feeds. Equal schemas encode equally, on any machine."""

    dataset: str
    positive: tuple[str, ...]
    user_fields: tuple[Field, ...]
    item_fields: tuple[Field, ...]  # item_id itself comes before them: code = row + 1, 0 for a new item
    n_item_ids: int = 0  # items with an embedding of their own
    category_levels: int = 1
    seed: int = 7
    sequence_length: int = 64
    history_length: int = 1000
    half_lives: tuple[float, ...] = (7.0, 30.0, 90.0)  # days, of decayed counts
    neighbour_items: int = 256  # history items whose neighbours count in the cross features
    text_buckets: int = 2  # of the terms of titles and descriptions, bucket 0 is padding
    text_length: int = 0  # terms of an item that the item tower reads; 0: the catalogue has no texts
    version: int = FORMAT_VERSION
    hasher: Hasher = field(init=False, repr=False, compare=False)
    text_hasher: TextHasher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hasher", Hasher(self.seed))
        object.__setattr__(self, "text_hasher", TextHasher(self.seed))

    @classmethod
    def from_dataset(
        cls,
        dataset: Dataset,
        *,
        cardinalities: Mapping[str, int] | None = None,
        boundaries: Mapping[str, Sequence[float]] | None = None,
        category_levels: int = 3,
        **settings: Any,
    ) -> FeatureSchema:
        """The schema of a dataset. Raises ValueError.

        ``cardinalities`` (distinct values seen, by feature) size the hash buckets, and ``boundaries`` are the
        intervals, of features for which the dataset names none.
        """
        sizes, bounds = dict(cardinalities or {}), dict(boundaries or {})
        levels = (f"category_{level}" for level in range(1, category_levels + 1))
        always = [Feature(name, buckets=0) for name in (*ALWAYS_ITEM_FIELDS, *levels)]
        always.append(Feature("price", "number"))
        named = {feature.name: feature for feature in dataset.item_features}
        item_features = [named.pop(feature.name, feature) for feature in always] + list(named.values())
        positive = dataset.positive
        if not positive:
            raise ValueError("dataset.toml: [events] positive must name at least one event type")
        if unknown := [kind for kind in positive if kind not in EVENT_CODE]:
            raise ValueError(
                f"dataset.toml: [events] positive: {unknown[0]!r} is none of {', '.join(HISTORY_EVENT_TYPES)}"
            )
        return cls(
            dataset=dataset.name,
            positive=positive,
            user_fields=tuple(_field(feature, sizes, bounds) for feature in dataset.user_features),
            item_fields=tuple(_field(feature, sizes, bounds) for feature in item_features),
            category_levels=category_levels,
            **settings,
        )

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces; the same text for equal schemas."""
        made = ("hasher", "text_hasher")
        names = (entry.name for entry in fields(self))
        values = {name: getattr(self, name) for name in names if name not in made}
        values["user_fields"] = [asdict(entry) for entry in self.user_fields]
        values["item_fields"] = [asdict(entry) for entry in self.item_fields]
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> FeatureSchema:
        """The schema that ``to_json`` wrote. Raises ValueError if the text is not one of this version."""
        try:
            values = cast(dict[str, Any], json.loads(text))
            version = values.get("version", FORMAT_VERSION)
            if version != FORMAT_VERSION:  # its other values may be unknown here: this is the reason to give
                raise ValueError(
                    f"features of version {version}, this program reads {FORMAT_VERSION}: train again"
                )
            for name in ("user_fields", "item_fields"):
                values[name] = tuple(
                    Field(**{**entry, "boundaries": tuple(entry["boundaries"])}) for entry in values[name]
                )
            for name in ("positive", "half_lives"):
                values[name] = tuple(values[name])
            schema = cls(**values)
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a feature schema: {error}") from error
        return schema

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return sha256(self.to_json().encode()).hexdigest()

    def encode_profile(self, profile: Mapping[str, str | list[str]]) -> list[int]:
        """The user's sparse codes, one for each slot of ``user_fields``."""
        hasher = self.hasher
        return [code for entry in self.user_fields for code in entry.encode(profile.get(entry.name), hasher)]

    @cached_property
    def user_slots(self) -> tuple[Field, ...]:
        """The field of each column of ``encode_profile``."""
        return tuple(entry for entry in self.user_fields for _ in range(entry.slots))

    @cached_property
    def item_slots(self) -> tuple[Field, ...]:
        """The field of each column of an item's encoded features, ``item_id`` first."""
        own = Field("item_id", "categorical", self.n_item_ids + 1)
        return (own, *(entry for entry in self.item_fields for _ in range(entry.slots)))

    @cached_property
    def group_columns(self) -> tuple[int, ...]:
        """The item columns a user has an affinity to: each category level, brand and shop."""
        names = {*ALWAYS_ITEM_FIELDS, *(f"category_{level}" for level in range(1, self.category_levels + 1))}
        return tuple(column for column, entry in enumerate(self.item_slots) if entry.name in names)


def as_number(value: object) -> float | None:
    """A finite number from a number or its text, else None."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    try:
        number = float(canonical(value))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _field(feature: Feature, sizes: Mapping[str, int], bounds: Mapping[str, Sequence[float]]) -> Field:
    """The field of a feature."""
    name, kind = feature.name, feature.kind
    if kind == "number":
        usual = PRICE_BOUNDARIES if name == "price" else range(1, 17)
        given = feature.boundaries or bounds.get(name) or usual
        ordered = tuple(sorted({float(bound) for bound in given}))
        return Field(name, kind, len(ordered) + 2, ordered)
    if kind not in ("categorical", "multi"):
        raise ValueError(
            f"dataset.toml: feature {name!r}: kind {kind!r} is none of categorical, number, multi"
        )
    # The file may ask for few buckets; with the data at hand, no more values share one than need be.
    buckets = max(feature.buckets, _buckets_for(sizes[name]) if name in sizes else 0)
    buckets = buckets or DEFAULT_BUCKETS
    return Field(name, kind, max(buckets, 2), slots=MULTI_SLOTS if kind == "multi" else 1)


def _buckets_for(distinct: int) -> int:
    """Buckets with few collisions: the power of two at least four times the distinct values, 16 to 65,536."""
    return min(max(16, 1 << (4 * max(distinct, 1) - 1).bit_length()), 65_536)
