"""A small catalogue with real words, for searching."""

from __future__ import annotations

from engine.types import Item

DAY = 86_400_000

FRUIT, DAIRY = ("Produce", "Fruit"), ("Dairy", "Milk")
GROCERIES = [
    Item("1", "Bananas", FRUIT, "Sunny", price=0.99, listed_at_ms=5 * DAY),
    Item("2", "Organic bananas", FRUIT, "Green", price=1.49, listed_at_ms=9 * DAY),
    Item("3", "Banana bread", ("Bakery", "Bread"), "Sunny", price=3.5, listed_at_ms=1 * DAY),
    Item("4", "Strawberries, 16 oz", FRUIT, "Sunny", price=2.99, listed_at_ms=2 * DAY),
    Item("5", "Chocolate milk", DAIRY, "Cow & Co", price=1.29, listed_at_ms=3 * DAY),
    Item("6", "Whole milk, 1 gal", DAIRY, "Cow & Co", price=2.49, listed_at_ms=4 * DAY),
    Item("7", "Crème brûlée", ("Dairy", "Desserts"), "Maison", price=None),
    Item("8", "绿茶 100 g", ("Grocery", "Tea"), "茶庄", price=4.0, listed_at_ms=6 * DAY),
    Item("9", "Bandana", ("Clothing",), "", price=5.0, listed_at_ms=7 * DAY),
    Item("10", "Old bananas", FRUIT, "Sunny", price=0.1, available=False),
]
