"""What stops an evaluation."""

from __future__ import annotations


class ProtocolError(Exception):
    """A method cannot be measured by a protocol; the message is one line that says what to do."""
