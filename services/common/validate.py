"""Checks of what callers send. Each raises InvalidArgument that names the field and what is allowed."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from engine.errors import InvalidArgument
from engine.ids import MAX_ID_BYTES, canonical_id, id_problem, name_problem
from engine.types import AttributeValue, ItemFilter
from engine.vocabulary import (
    CHANNELS,
    DEFAULT_PAGE,
    MAX_BATCH,
    MAX_EXCLUDED,
    MAX_FILTER_VALUES,
    MAX_PAGE,
)

MAX_TEXT_BYTES = 1024
MAX_ATTRIBUTES = 64
MAX_TEXTS = 64


def check_id(field: str, value: str) -> str:
    """An id in its canonical spelling, in which it is stored and compared: "5" for "5.0" and " 5 "."""
    value = canonical_id(value)
    if problem := id_problem(value):
        raise InvalidArgument(field, problem)
    return value


def check_ids(field: str, values: Sequence[str], most: int = MAX_BATCH) -> list[str]:
    """A list of 1 to `most` ids, canonical; repeated ones are kept once, at their first place."""
    check_count(field, values, most)
    return list(dict.fromkeys(check_id(f"{field}[{at}]", value) for at, value in enumerate(values)))


def check_name(field: str, value: str) -> str:
    """A name or token as it stands: 1 to 256 bytes of UTF-8 without control characters."""
    if problem := name_problem(value):
        raise InvalidArgument(field, problem)
    return value


def check_count(field: str, values: Sequence[object], most: int = MAX_BATCH) -> None:
    """A list of 1 to `most` elements."""
    if not 1 <= len(values) <= most:
        raise InvalidArgument(field, f"has {len(values)} elements, allowed are 1 to {most}")


def check_text(field: str, value: str, most: int = MAX_TEXT_BYTES) -> str:
    """A text of at most `most` bytes of UTF-8."""
    if len(value) * 4 > most and (size := _size(field, value)) > most:
        raise InvalidArgument(field, f"is {size} bytes long, allowed are at most {most}")
    return value


def check_number(field: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from `low` to `high`."""
    if not math.isfinite(value):
        raise InvalidArgument(field, "must be a finite number")
    if not low <= value <= high:
        raise InvalidArgument(field, f"must be {_range(low, high)}, not {value:g}")
    return value


def check_range(field: str, value: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not low <= value <= high:
        raise InvalidArgument(field, f"must be {low} to {high}, not {value}")
    return value


def coerced_page_size(
    value: int, field: str = "page_size", *, default: int = DEFAULT_PAGE, most: int = MAX_PAGE
) -> int:
    """How many of a list to answer, by AIP-158: `default` for 0, and never more than `most`.

    Raises InvalidArgument for a negative number.
    """
    if value < 0:
        raise InvalidArgument(field, f"must not be negative, not {value}")
    return min(value, most) or default


def check_attributes(
    field: str, attributes: Mapping[str, AttributeValue], allowed: Collection[str] | None = None
) -> None:
    """At most 64 attributes with names that `allowed` has (None: any) and values within the limits."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidArgument(field, f"has {len(attributes)} entries, allowed are at most {MAX_ATTRIBUTES}")
    for name, value in attributes.items():
        check_name(f"{field} key", name)
        path = f"{field}.{name}"
        if allowed is not None and name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise InvalidArgument(path, f"is not a feature of this dataset; it has: {known}")
        if isinstance(value, str):
            check_text(path, value)
        elif isinstance(value, tuple):
            if len(value) > MAX_TEXTS:
                raise InvalidArgument(path, f"has {len(value)} texts, allowed are at most {MAX_TEXTS}")
            for text in value:
                check_text(path, text)
        else:
            check_number(path, value)


def check_filter(item_filter: ItemFilter, field: str = "filter") -> ItemFilter:
    """An item filter within its limits: 100 categories and brands, 1,000 exclusions, finite prices from 0."""
    for name, values, most in (
        ("categories", item_filter.categories, MAX_FILTER_VALUES),
        ("brands", item_filter.brands, MAX_FILTER_VALUES),
        ("exclude_item_ids", item_filter.exclude_item_ids, MAX_EXCLUDED),
    ):
        if len(values) > most:
            raise InvalidArgument(
                f"{field}.{name}", f"has {len(values)} elements, allowed are at most {most}"
            )
        _check_texts(f"{field}.{name}", values)
    low, high = item_filter.price_min, item_filter.price_max
    if low is not None:
        check_number(f"{field}.price_min", low, 0.0)
    if high is not None:
        check_number(f"{field}.price_max", high, 0.0)
    if low is not None and high is not None and low > high:
        raise InvalidArgument(f"{field}.price_min", f"{low:g} is above price_max {high:g}")
    return item_filter


def check_channels(
    channels: Sequence[str], allowed: Sequence[str] = CHANNELS, field: str = "channels"
) -> tuple[str, ...]:
    """Names of recall channels, each once, in the order given. Raises InvalidArgument for any other name."""
    if len(channels) > MAX_FILTER_VALUES:
        raise InvalidArgument(field, f"has {len(channels)} elements, allowed are at most {MAX_FILTER_VALUES}")
    for name in channels:
        if name not in allowed:
            raise InvalidArgument(field, f"{name[:100]!r} is none of {', '.join(allowed)}")
    return tuple(dict.fromkeys(channels))


def encode_page_token(kind: str, position: str) -> str:
    """An opaque token for "go on after `position`" in a list of `kind`."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def decode_page_token(kind: str, token: str, field: str = "page_token") -> str:
    """The position in a token of `encode_page_token` for the same kind of list; "" for an empty token."""
    if not token:
        return ""
    problem = "is not a token of an earlier response of this call"
    if len(token) > 2 * MAX_ID_BYTES + 64:
        raise InvalidArgument(field, problem)
    try:
        text = base64.b64decode(
            token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
        ).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidArgument(field, problem) from error
    prefix, found, position = text.partition(":")
    if not found or prefix != kind or not position:
        raise InvalidArgument(field, problem)
    return position


def _check_texts(field: str, values: Iterable[str]) -> None:
    for value in values:
        check_text(field, value)


def _size(field: str, value: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidArgument(field, "is not valid UTF-8 text") from error


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at least {low:g}"
    return f"{low:g} to {high:g}" if not math.isinf(low) else f"at most {high:g}"
