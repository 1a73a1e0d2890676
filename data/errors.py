"""The one exception of this package: bad input, told in one line."""

from __future__ import annotations


class DataError(Exception):
    """Input or usage that cannot be accepted: one line that says what to do, with file and line."""
