"""Requests of the sample's shoppers, to be asked of several systems whose answers must be the same."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import EcrsError
from engine.types import Item, ItemFilter, Recommendation, RecommendQuery

Query = RecommendQuery | str
"""A list for a shopper, or the id of an item to which similar ones are asked for."""
_RAILS = (("popular",), ("trending",), ("new",), ("bought_again",), ("item_to_item",), ("two_tower",))


def queries(user_ids: Sequence[str], items: Sequence[Item]) -> list[Query]:
    """About four for each shopper: plain, with a filter, with a session, a rail; and similar items.

    Args:
        user_ids: known shoppers. items: of the catalogue; some become sessions, filters and exclusions.
    """
    asked: list[Query] = []
    brands = sorted({item.brand for item in items if item.brand})
    leaves = sorted({item.category_path[-1] for item in items if item.category_path})
    prices = sorted(item.price for item in items if item.price is not None)
    filters = (
        ItemFilter(exclude_purchased=True),
        ItemFilter(categories=frozenset(leaves[:2])),
        ItemFilter(brands=frozenset(brands[:3])),
        ItemFilter(price_min=prices[len(prices) // 4], price_max=prices[len(prices) // 2] + 1.0)
        if prices
        else ItemFilter(include_unavailable=True),
        ItemFilter(exclude_item_ids=frozenset(item.item_id for item in items[:10])),
        ItemFilter(include_unavailable=True),
    )
    for number, user_id in enumerate(user_ids):
        session = tuple(items[(number * 3 + step) % len(items)].item_id for step in range(1 + number % 4))
        asked += [
            RecommendQuery(user_id=user_id),
            RecommendQuery(user_id=user_id, filter=filters[number % len(filters)], page_size=10),
            RecommendQuery(user_id=user_id, session_item_ids=session, candidate_count=100),
            RecommendQuery(user_id=user_id, channels=_RAILS[number % len(_RAILS)], page_size=12),
            items[number % len(items)].item_id,
        ]
    asked += [
        RecommendQuery(user_id="nobody-knows-me"),
        RecommendQuery(profile={"age": "3", "sex": "1"}),
        RecommendQuery(profile={"age": "5"}, session_item_ids=(items[0].item_id,)),
        RecommendQuery(user_id="nobody-knows-me", filter=ItemFilter(brands=frozenset(["no such brand"]))),
        RecommendQuery(channels=("popular",)),
        "no-such-item",
    ]
    return asked


def summary(answer: Recommendation) -> tuple[object, ...]:
    """What must be the same but for the last digits of scores: ids, channels, reasons, titles, degraded …"""
    return (
        [(one.item_id, one.channels, one.reason, one.item) for one in answer.items],
        answer.release,
        answer.degraded,
        answer.user_known,
    )


def refusal(error: EcrsError) -> tuple[object, ...]:
    """The same of a request that was refused."""
    return (type(error), str(error))
