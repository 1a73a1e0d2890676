"""What the example shops share: shoppers who stay with few themes, and products that go together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

Table = Sequence[Sequence[object]]
"""The header, then the rows."""

BEGIN = datetime(2025, 1, 6)  # noqa: DTZ001 - the shop's own clock
DAYS = 240
_FAITHFUL = 0.85
_WITH_COMPANION = 0.35


class Catalogue:
    """`themes` times `size` products, numbered from 0; each theme has few best sellers and many others."""

    def __init__(self, draw: random.Random, themes: int, size: int) -> None:
        self._draw = draw
        self.themes = themes
        self.size = size
        self._weights = [1.0 / (1 + place) ** 0.8 for place in range(size)]

    def theme(self, product: int) -> int:
        """The theme of a product."""
        return product // self.size

    def product(self, theme: int) -> int:
        """A product of the theme, best sellers more often."""
        return theme * self.size + self._draw.choices(range(self.size), self._weights)[0]

    def companion(self, product: int) -> int:
        """The product that is often taken together with this one."""
        theme = self.theme(product)
        return theme * self.size + (product + self.size // 2) % self.size


class Shopper:
    """Two favourite themes, some products that are taken again and again, and how often one comes."""

    def __init__(self, number: int, catalogue: Catalogue, draw: random.Random) -> None:
        self.number = number
        self._catalogue = catalogue
        self._draw = draw
        self._favourites = draw.sample(range(catalogue.themes), 2)
        self.visits = draw.choice((3, 4, 5, 6, 8, 10, 14))

    def choose(self) -> list[int]:
        """One or two products: what one came for, perhaps with its companion."""
        faithful = self._draw.random() < _FAITHFUL
        theme = (
            self._draw.choice(self._favourites) if faithful else self._draw.randrange(self._catalogue.themes)
        )
        product = self._catalogue.product(theme)
        if self._draw.random() < _WITH_COMPANION:
            return [product, self._catalogue.companion(product)]
        return [product]

    def basket(self, choices: int) -> list[int]:
        """The distinct products of some choices."""
        chosen = [product for _ in range(choices) for product in self.choose()]
        return list(dict.fromkeys(chosen))


def moments(draw: random.Random, count: int) -> list[datetime]:
    """Times of visits in opening hours, ascending."""
    days = sorted(draw.randrange(DAYS) for _ in range(count))
    return [BEGIN + timedelta(days=day, minutes=draw.randrange(8 * 60, 20 * 60)) for day in days]
