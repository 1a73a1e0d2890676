"""Stable hashing of feature values into buckets: the same in every process, on every machine."""

from __future__ import annotations

from hashlib import blake2b

from engine.ids import canonical_id, means_unknown

_CACHE_LIMIT = 500_000  # entries; the cache is emptied when full, so memory stays bounded


def canonical(value: object) -> str:
    """The text form of a feature value: `canonical_id`, and ``""`` for None and each of ``ids.NO_IDS``.

    >>> canonical("5.0"), canonical(5.0), canonical(" 5 "), canonical("5.05")
    ('5', '5', '5', '5.05')
    """
    if value is None:
        return ""
    text = canonical_id(value if isinstance(value, str) else str(value))
    return "" if means_unknown(text) else text


def hash_key(seed: int) -> bytes:
    """The key that makes hashes of different seeds differ."""
    return seed.to_bytes(8, "little", signed=True)


def stable_hash(key: bytes, field: str, text: str) -> int:
    """blake2b-64 of ``field NUL text`` under the key."""
    message = f"{field}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(message, digest_size=8, key=key).digest(), "little")


class Hasher:
    """Maps ``(field, value)`` to ``1 … buckets - 1``; an empty value to 0, the bucket of the unknown.

    The hash is ``stable_hash``, keyed with the seed. Values are cached, since shoppers and items repeat.
    """

    def __init__(self, seed: int) -> None:
        self._key = hash_key(seed)
        self._cache: dict[tuple[str, int, str], int] = {}

    def bucket(self, field: str, value: object, buckets: int) -> int:
        """The bucket of one value; never raises for a value, whatever it is."""
        raw = value if isinstance(value, str) else canonical(value)
        cached = self._cache.get((field, buckets, raw))
        if cached is not None:
            return cached
        code = self._compute(field, canonical(raw), buckets)
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        self._cache[(field, buckets, raw)] = code
        return code

    def _compute(self, field: str, text: str, buckets: int) -> int:
        if not text or buckets < 2:
            return 0
        return 1 + stable_hash(self._key, field, text) % (buckets - 1)
