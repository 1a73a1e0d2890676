"""A small shop's items and households, and hand-written fakes of the ports that keep them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.errors import EcrsError, InvalidArgument, NotFound
from engine.types import (
    AttributeValue,
    Category,
    Item,
    KnownContext,
    SearchQuery,
    SearchResult,
    UserEvent,
    UserProfile,
)
from engine.vocabulary import IMPRESSION

KINDS = (
    ("Grocery", "Cold Cereal", ("Honey Oat Rings", "Corn Flakes", "Raisin Bran", "Cocoa Puffs", "Granola")),
    ("Grocery", "Fluid Milk", ("Whole Milk", "Low-Fat Milk", "Chocolate Milk", "Half and Half", "Oat Milk")),
    ("Produce", "Tropical Fruit", ("Bananas", "Mangoes", "Pineapple", "Kiwi Fruit", "Papaya")),
    ("Produce", "Vegetables", ("Broccoli", "Carrots", "Iceberg Lettuce", "Sweet Peppers", "Spinach")),
    ("Meat", "Beef", ("Ground Beef", "Sirloin Steak", "Beef Roast", "Short Ribs", "Stew Beef")),
    ("Bakery", "Bread", ("White Bread", "Wheat Bread", "Hot Dog Buns", "Bagels", "Sourdough Loaf")),
    ("Grocery", "Soft Drinks", ("Cola 12 Pack", "Lemon Soda", "Ginger Ale", "Root Beer", "Diet Cola")),
    ("Grocery", "Bag Snacks", ("Potato Chips", "Tortilla Chips", "Pretzels", "Popcorn", "Cheese Puffs")),
    ("Dairy", "Cheese", ("Shredded Cheddar", "Mozzarella", "Swiss Slices", "Feta", "Cream Cheese")),
    (
        "Drug GM",
        "Paper Towels",
        ("Paper Towels 6 Rolls", "Bath Tissue", "Facial Tissue", "Napkins", "Diapers"),
    ),
    ("Frozen", "Ice Cream", ("Vanilla Ice Cream", "Fudge Bars", "Sherbet", "Cookie Dough Pint", "Cones")),
    ("Seafood", "Frozen Fish", ("Salmon Fillets", "Shrimp", "Fish Sticks", "Tuna Steaks", "Cod")),
)


def catalogue() -> dict[str, Item]:
    """60 items with ids "101" and up."""
    made = [(department, category, title) for department, category, titles in KINDS for title in titles]
    return {
        str(101 + n): Item(
            item_id=str(101 + n),
            title=title,
            category_path=(department, category),
            brand="Private" if n % 3 else "National",
            price=0.99 + (n * 37 % 600) / 100,
            attributes={"package_size": f"{8 + n % 12} OZ"},
        )
        for n, (department, category, title) in enumerate(made)
    }


def households() -> dict[str, UserProfile]:
    """40 of them; every fourth without a profile."""
    ages, incomes = ("19-24", "25-34", "35-44", "45-54"), ("Under 15K", "35-49K", "100-124K")
    attributes: list[Mapping[str, AttributeValue]] = [
        {} if n % 4 == 3 else {"age": ages[n % 3], "income": incomes[n % 3], "kids_count": str(n % 3)}
        for n in range(40)
    ]
    return {str(n + 1): UserProfile(str(n + 1), attributes[n]) for n in range(40)}


@dataclass
class FakeUsers:
    """UserPort over dictionaries. `fail`: what every call raises."""

    profiles: dict[str, UserProfile] = field(default_factory=households)
    events: list[UserEvent] = field(default_factory=list)
    impressions: list[UserEvent] = field(default_factory=list)
    fail: EcrsError | None = None
    listed: int = 0

    def get_user(self, user_id: str, timeout_s: float) -> UserProfile:
        self._check()
        if user_id not in self.profiles:
            raise NotFound(f"user {user_id}")
        return self.profiles[user_id]

    def batch_get_users(
        self, user_ids: Sequence[str], timeout_s: float
    ) -> tuple[list[UserProfile], list[str]]:
        found = [self.profiles[user_id] for user_id in user_ids if user_id in self.profiles]
        return found, [user_id for user_id in user_ids if user_id not in self.profiles]

    def list_users(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[UserProfile], str]:
        self._check()
        self.listed += 1
        if page_token and not page_token.isdigit():
            raise InvalidArgument("page_token", "is not one of ours")
        start = int(page_token or 0)
        users, end = list(self.profiles.values()), start + page_size
        return users[start:end], str(end) if end < len(users) else ""

    def upsert_users(self, users: Sequence[UserProfile], timeout_s: float) -> int:
        self._check()
        self.profiles.update({user.user_id: user for user in users})
        return len(users)

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext:
        raise NotImplementedError("the web tier never asks for a context")

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int:
        self._check()
        self.impressions += [event for event in events if event.type == IMPRESSION]
        done = [event for event in events if event.type != IMPRESSION]
        stored = {(event.user_id, event.event_id) for event in self.events if event.event_id}
        new = [event for event in done if (event.user_id, event.event_id) not in stored]
        self.events.extend(replace(event, at_ms=event.at_ms or int(time.time() * 1000)) for event in new)
        return len(new) + len(events) - len(done)

    def list_user_events(
        self, user_id: str, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserEvent], str]:
        self._check()
        if page_token and not page_token.isdigit():
            raise InvalidArgument("page_token", "is not one of ours")
        start, events = int(page_token or 0), self.of(user_id)
        end = start + page_size
        return events[start:end], str(end) if end < len(events) else ""

    def delete_user(self, user_id: str, timeout_s: float) -> bool:
        self._check()
        self.events = [event for event in self.events if event.user_id != user_id]
        return self.profiles.pop(user_id, None) is not None

    def of(self, user_id: str) -> list[UserEvent]:
        """A user's events, newest first."""
        return [event for event in reversed(self.events) if event.user_id == user_id]

    def _check(self) -> None:
        if self.fail:
            raise self.fail


@dataclass
class FakeItems:
    """ItemPort over a dictionary."""

    items: dict[str, Item] = field(default_factory=catalogue)
    fail: EcrsError | None = None
    searched: list[SearchQuery] = field(default_factory=list)

    def get_item(self, item_id: str, timeout_s: float) -> Item:
        if self.fail:
            raise self.fail
        if item_id not in self.items:
            raise NotFound(f"item {item_id}")
        return self.items[item_id]

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        if self.fail:
            raise self.fail
        found = [self.items[item_id] for item_id in item_ids if item_id in self.items]
        return found, [item_id for item_id in item_ids if item_id not in self.items]

    def upsert_items(self, items: Sequence[Item], timeout_s: float) -> int:
        self.items.update({item.item_id: item for item in items})
        return len(items)

    def set_availability(
        self, item_ids: Sequence[str], available: bool, timeout_s: float
    ) -> tuple[int, list[str]]:
        raise NotImplementedError("the web tier changes no item")

    def list_items(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]:
        return list(self.items.values())[:page_size], ""

    def search_items(self, query: SearchQuery, timeout_s: float) -> SearchResult:
        """Whole words, and one typing error ("banannas"); page tokens are numbers."""
        self.searched.append(query)
        if self.fail:
            raise self.fail
        if query.page_token and not query.page_token.isdigit():
            raise InvalidArgument("page_token", "is not one of ours")
        text, corrected = query.text.lower(), ""
        if text == "banannas":
            text = corrected = "bananas"
        depth = len(query.category_path)
        fits = [
            item
            for item in self.items.values()
            if all(word in " ".join((item.title, *item.category_path)).lower() for word in text.split())
            and item.category_path[:depth] == query.category_path
            and (not query.variant_of or item.variant_of == query.variant_of)
            and (query.price_min is None or (item.price or 0) >= query.price_min)
            and (query.price_max is None or (item.price or 0) <= query.price_max)
        ]
        brands = Counter(item.brand for item in fits if item.brand)
        shown = [item for item in fits if not query.brands or item.brand in query.brands]
        if query.order.startswith("price"):
            shown.sort(key=lambda item: item.price or 0, reverse=query.order == "price_descending")
        start = int(query.page_token or 0)
        end = start + query.page_size
        return SearchResult(
            items=tuple(shown[start:end]),
            next_page_token=str(end) if end < len(shown) else "",
            total_count=len(shown),
            brands=tuple(brands.most_common(20)),
            categories=tuple(
                Counter(i.category_path[depth] for i in shown if len(i.category_path) > depth).most_common(50)
            ),
            corrected_text=corrected,
        )

    def list_categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]:
        if self.fail:
            raise self.fail
        roots = Counter(item.category_path[0] for item in self.items.values() if item.category_path)
        leaves = Counter(item.category_path for item in self.items.values())
        return tuple(
            Category(
                root,
                count,
                tuple(Category(path[-1], n) for path, n in leaves.items() if path[:1] == (root,)),
            )
            for root, count in roots.most_common()
        )


DATASET_TOML = """
[dataset]
name = "demo"
title = "Corner Market"
synthetic = true
notice = "Simulated from real shopping patterns."
currency = "USD"
user_noun = "household"

[events]
positive = ["purchase"]

[[user_feature]]
name = "age"
display = { en = "Age", zh = "年龄" }
values = ["19-24", "25-34", "35-44", "45-54"]

[[user_feature]]
name = "income"
display = { en = "Income", zh = "收入" }
values = ["Under 15K", "35-49K", "100-124K"]

[[user_feature]]
name = "kids_count"
display = { en = "Children", zh = "孩子" }
values = ["0", "1", "2"]
"""
