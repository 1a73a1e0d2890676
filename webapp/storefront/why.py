"""Why an item is shown, on its way from a list to the product's page: a short code in the link.

The words are made anew on the page, from the item's title and the dataset's own names: a link made by
somebody else cannot put words into the shop's mouth.
"""

from __future__ import annotations

from engine.dataset import Dataset
from engine.types import Reason
from webapp.shopper import is_id

PLAIN = frozenset({"for_you", "bought_again", "popular", "trending", "new"})
WITH_ITEM = {"b": "because_of_item", "s": "similar_to", "t": "together_with"}
"""Letter → kind of a reason that names an item."""
SEGMENT = "popular_in_segment"
_LETTER = {kind: letter for letter, kind in WITH_ITEM.items()}


def why_code(reason: Reason) -> str:
    """`new`, `b.1001`, `g.age=45-54`; empty for a reason without a page of words."""
    if reason.kind in PLAIN:
        return reason.kind
    if reason.kind in _LETTER and reason.item_id:
        return f"{_LETTER[reason.kind]}.{reason.item_id}"
    return f"g.{reason.segment}" if reason.kind == SEGMENT and reason.segment else ""


def reason_of(code: str, dataset: Dataset) -> Reason | None:
    """The reason again, without the item's title; None for what is no code of ours."""
    if code in PLAIN:
        return Reason(code)
    letter, _, rest = code.partition(".")
    if letter in WITH_ITEM and is_id(rest):
        return Reason(WITH_ITEM[letter], item_id=rest)
    name, _, value = rest.partition("=")
    if letter == "g" and value in dataset.user_feature(name).values:
        return Reason(SEGMENT, segment=rest)
    return None
