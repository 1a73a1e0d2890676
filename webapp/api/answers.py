"""What the API answers, made from the services' types."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from engine import types
from engine.types import AttributeValue


class Answer(BaseModel):
    """Base; every field is always there."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Item(Answer):
    """An item of the catalogue."""

    item_id: str
    title: str
    category_path: tuple[str, ...] = Field(description="From the root to the leaf.")
    brand: str
    shop: str
    price: float | None = Field(description="In the dataset's currency; null: unknown.")
    available: bool
    listed_at_ms: int = Field(description="Milliseconds since 1970 UTC; 0: unknown.")
    attributes: Mapping[str, AttributeValue]
    description: str = Field(
        description="Plain text; empty: unknown. Only where one item is read, or the catalogue in pages."
    )
    url: str = Field(description="Its page in the shop; empty: unknown.")
    image_url: str = Field(
        description="Its picture: an address, or a path on the shop's own host; empty: none."
    )
    variant_of: str = Field(description="The item that this one is a variant of; empty: of none.")

    @classmethod
    def of(cls, item: types.Item) -> Item:
        """From the port's type."""
        return cls(
            item_id=item.item_id,
            title=item.title,
            category_path=item.category_path,
            brand=item.brand,
            shop=item.shop,
            price=item.price,
            available=item.available,
            listed_at_ms=item.listed_at_ms,
            attributes=item.attributes,
            description=item.description,
            url=item.url,
            image_url=item.image_url,
            variant_of=item.variant_of,
        )


class Items(Answer):
    """A page of the catalogue."""

    items: tuple[Item, ...]
    next_page_token: str = Field("", description="Empty after the last page.")
    missing_ids: tuple[str, ...] = Field((), description="Ids asked for that the catalogue does not have.")


class Reason(Answer):
    """Why an item is in the list, as data."""

    kind: str
    item_id: str
    item_title: str
    segment: str


class RecommendedItem(Answer):
    """An item of a list."""

    item_id: str
    score: float = Field(description="Higher is better.")
    channels: tuple[str, ...] = Field(description="Recall channels that named it, the deciding one first.")
    reason: Reason
    item: Item | None = Field(description="Details; null when they could not be read.")


class Recommendations(Answer):
    """A list, best first."""

    items: tuple[RecommendedItem, ...]
    release: str = Field(description="The release of the models.")
    attribution_token: str = Field(description="Send it back with events on these items.")
    degraded: tuple[str, ...] = Field(description="Parts that did not answer; empty when all went well.")
    user_known: bool
    timings_ms: Mapping[str, float] = Field(description="By stage.")

    @classmethod
    def of(cls, found: types.Recommendation) -> Recommendations:
        """From the port's type."""
        return cls(
            items=tuple(
                RecommendedItem(
                    item_id=one.item_id,
                    score=one.score,
                    channels=one.channels,
                    reason=Reason(
                        kind=one.reason.kind,
                        item_id=one.reason.item_id,
                        item_title=one.reason.item_title,
                        segment=one.reason.segment,
                    ),
                    item=None if one.item is None else Item.of(one.item),
                )
                for one in found.items
            ),
            release=found.release,
            attribution_token=found.attribution_token,
            degraded=tuple(sorted(part.name for part in found.degraded)),
            user_known=found.user_known,
            timings_ms=found.timings_ms,
        )


class Facet(Answer):
    """A value and how many items have it."""

    value: str
    count: int


class SearchPage(Answer):
    """A page of what fits, and counts over all that fits."""

    items: tuple[Item, ...]
    next_page_token: str
    total_count: int
    brands: tuple[Facet, ...]
    categories: tuple[Facet, ...] = Field(description="The next level of categories.")
    corrected_query: str = Field(description="What was searched when typing errors were mended; else empty.")

    @classmethod
    def of(cls, found: types.SearchResult) -> SearchPage:
        """From the port's type."""
        return cls(
            items=tuple(map(Item.of, found.items)),
            next_page_token=found.next_page_token,
            total_count=found.total_count,
            brands=_facets(found.brands),
            categories=_facets(found.categories),
            corrected_query=found.corrected_text,
        )


class Category(Answer):
    """A category with the number of items at and below it."""

    name: str
    item_count: int
    children: tuple[Category, ...]

    @classmethod
    def of(cls, category: types.Category) -> Category:
        """From the port's type, with all below."""
        return cls(
            name=category.name,
            item_count=category.item_count,
            children=tuple(map(cls.of, category.children)),
        )


class Categories(Answer):
    """The category tree, most items first."""

    categories: tuple[Category, ...]


class User(Answer):
    """A shopper."""

    user_id: str
    attributes: Mapping[str, AttributeValue]


class Event(Answer):
    """A recorded event."""

    user_id: str
    item_id: str
    type: str
    at_ms: int
    value: float
    attribution_token: str
    event_id: str


class Events(Answer):
    """A page of events, newest first."""

    events: tuple[Event, ...]
    next_page_token: str

    @classmethod
    def of(cls, events: list[types.UserEvent], next_page_token: str) -> Events:
        """From the port's types."""
        return cls(
            events=tuple(
                Event(
                    user_id=event.user_id,
                    item_id=event.item_id,
                    type=event.type,
                    at_ms=event.at_ms,
                    value=event.value,
                    attribution_token=event.attribution_token,
                    event_id=event.event_id,
                )
                for event in events
            ),
            next_page_token=next_page_token,
        )


class Recorded(Answer):
    """How many events were stored now; ids known already are not counted."""

    recorded: int


class Health(Answer):
    """Whether the services behind the API answer."""

    status: str = Field(description="`ok` or `unavailable`.")
    services: Mapping[str, str] = Field(description="`ok`, or the kind of failure, by service.")


class FieldProblem(Answer):
    """A field and what is wrong with it."""

    field: str
    problem: str


class Problem(Answer):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=False)

    type: str
    title: str
    status: int
    detail: str
    request_id: str = Field(description="Name it when you ask about the problem.")
    errors: tuple[FieldProblem, ...] = Field((), description="The fields that are wrong, if any.")


def _facets(pairs: tuple[tuple[str, int], ...]) -> tuple[Facet, ...]:
    return tuple(Facet(value=value, count=count) for value, count in pairs)
