"""What a shop shows of an item beside its features: limits of descriptions and addresses, one place for all.

The preparation of data, the item service and the web tier check by these.
"""

from __future__ import annotations

import re

MAX_DESCRIPTION = 10_000
"""Characters of a description."""
MAX_ADDRESS_BYTES = 2048
"""Bytes of UTF-8 of an address."""

_SIGNS = r"[^\s\\\x00-\x1f\x7f-\x9f]*"
# No "@" in the host: what stands before it is often taken for the host.
_HOST = r"(?:[^\W_](?:[\w.-]*[^\W_])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
_WEB = re.compile(rf"(https?)://({_HOST})(?:[/?#]{_SIGNS})?", re.IGNORECASE)
_PATH = re.compile(rf"/(?!/){_SIGNS}")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def is_web_address(text: str) -> bool:
    """Whether it is an absolute http or https address of at most 2,048 bytes.

    >>> is_web_address("https://shop.example/b?id=1"), is_web_address("javascript:alert(1)")
    (True, False)
    """
    return _short(text) and _WEB.fullmatch(text) is not None


def is_picture_address(text: str) -> bool:
    """Whether it is a web address, or a path on the shop's own host (`/pictures/b.jpg`)."""
    return _short(text) and (_WEB.fullmatch(text) is not None or _PATH.fullmatch(text) is not None)


def origin_of(address: str) -> str:
    """Scheme, host and port of a web address in small letters; "" for a path.

    >>> origin_of("HTTPS://Img.example:443/b.jpg"), origin_of("/b.jpg")
    ('https://img.example', '')
    """
    found = _WEB.fullmatch(address)
    if found is None:
        return ""
    scheme, host = found[1].lower(), found[2].lower()
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORT[scheme])}"


def _short(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= MAX_ADDRESS_BYTES
