"""A gift shop's catalogue as such shops write it: titles in capitals, no categories, no brands.

What each item is, its kind, is known to tests only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS: dict[str, tuple[str, ...]] = {
    "lights": ("{} HANGING T-LIGHT HOLDER", "{} GLASS T-LIGHT HOLDER", "{} LANTERN", "{} NIGHT LIGHT"),
    "candles": ("{} SCENTED CANDLE", "SET OF 6 {} CANDLES", "{} CANDLE IN JAR", "{} BIRTHDAY CANDLES"),
    "mugs": ("{} MUG", "{} COFFEE MUG", "SET OF 4 {} MUGS", "{} TRAVEL MUG 350ML"),
    "bags": ("{} JUMBO BAG", "{} LUNCH BAG", "{} SHOPPER BAG", "{} CHARLOTTE BAG"),
    "frames": ("{} PHOTO FRAME", "{} PICTURE FRAME 6X4", "{} TRIPLE PHOTO FRAME", "{} FRAME OVAL"),
    "clocks": ("{} ALARM CLOCK", "{} WALL CLOCK", "{} BAKELIKE ALARM CLOCK", "{} CLOCK WITH PENDULUM"),
    "cushions": ("{} CUSHION COVER", "{} CUSHION", "{} FLOOR CUSHION", "{} HEATED CUSHION 40CM"),
    "doormats": ("{} DOORMAT", "{} DOOR MAT 75CM", "DOORMAT {} DESIGN", "{} COIR DOORMAT"),
    "cards": ("{} GREETING CARD", "{} CARD AND ENVELOPE", "PACK OF 12 {} CARDS", "{} GIFT CARD"),
    "baking": ("{} CAKE CASES", "PACK OF 72 {} CAKE CASES", "{} BAKING SET 9 PIECE", "{} CAKE TIN"),
    "hooks": ("{} COAT HOOK", "{} WALL HOOK", "{} DOOR HOOK ANTIQUE", "{} HOOK RACK"),
    "umbrellas": ("{} UMBRELLA", "{} FOLDING UMBRELLA", "{} CHILDRENS UMBRELLA", "{} PARASOL"),
    "magnets": ("{} FRIDGE MAGNETS", "PACK OF 4 {} FRIDGE MAGNETS", "{} MAGNET SET", "{} MEMO MAGNET"),
    "necklaces": ("{} NECKLACE", "{} BEAD NECKLACE", "{} PENDANT NECKLACE 45CM", "{} CHAIN NECKLACE"),
}
MOTIFS = (
    "WHITE HEART", "RED RETROSPOT", "UNION JACK", "VINTAGE PAISLEY", "STRAWBERRY", "DOLLY GIRL", "WOODLAND",
    "SPACEBOY", "POLKA DOT", "REGENCY ROSE", "IVORY", "PINK BUTTERFLY", "BLUE STAR", "SKULLS", "APPLE DESIGN",
    "GARDENIA", "FRENCH BLUE", "ENAMEL FLOWER", "CHRISTMAS TREE", "FELTCRAFT OWL", "ZINC METAL",
)  # fmt: skip


def gifts(without: str = "") -> tuple[list[dict[str, Any]], list[str]]:
    """Records in the Redis form, and the kind of each. Titles without the word ``without``."""
    records, kinds = [], []
    for kind, patterns in KINDS.items():
        for pattern in patterns:
            for motif in MOTIFS:
                title = " ".join(word for word in pattern.format(motif).split() if word != without)
                records.append({"sku_id": f"g{len(records)}", "title": title, "category_path": []})
                kinds.append(kind)
    order = np.random.default_rng(7).permutation(len(records)).tolist()
    return [records[place] for place in order], [kinds[place] for place in order]
