"""Pictures of products by the addresses of the data, over the drawing, which shows where none loads.

An address is used only where the operator has listed its origin, or where it is a path on our own host; the
policy of the page allows the same (docs/adr/0178).
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from markupsafe import Markup

from engine.item_content import is_picture_address, origin_of
from webapp.pictures import picture

MAX_REFUSED = 20  # origins that are remembered for the console
log = structlog.get_logger("webapp.photos")


class ImageOrigins:
    """The origins that pictures may come from, and those that some picture was refused for."""

    def __init__(self, listed: Iterable[str]) -> None:
        self.listed = frozenset(map(origin_of, listed)) - {""}
        self.refused: set[str] = set()

    def allow(self, address: str) -> bool:
        """Whether a picture at this address is shown; an origin that is not listed is logged once."""
        if not address or not is_picture_address(address):
            return False
        origin = origin_of(address)
        if not origin or origin in self.listed:
            return True
        if origin not in self.refused and len(self.refused) < MAX_REFUSED:
            self.refused.add(origin)
            log.warning("picture.origin_not_listed", origin=origin, setting="ECRS_IMAGE_ORIGINS")
        return False


def photo(
    origins: ImageOrigins, address: str, drawing: str, brand: str, item_id: str, name: str = ""
) -> Markup:
    """The picture of a product over its drawing; the drawing alone where there is none that may be shown.

    Args:
        address: of the picture; "" for none.
        drawing, brand, item_id: as `webapp.pictures.picture` takes them.
        name: what the picture shows, for screen readers; "" where the title stands beside it.
    """
    below = picture(drawing, brand, item_id)
    if not origins.allow(address):
        return below
    # The image's own alt is empty: a browser draws the frame of a broken image over the drawing otherwise.
    label = Markup(' role="img" aria-label="{}"').format(name) if name else Markup("")
    return Markup(
        '<span class="photo"{}>{}<span><img src="{}" alt="" loading="lazy" decoding="async"'
        ' referrerpolicy="no-referrer"></span></span>'
    ).format(label, below, address)
