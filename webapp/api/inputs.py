"""What callers send. These models are the only place of the API's limits: requests are checked by them, and
the OpenAPI document is made from them.

The services count bytes of UTF-8, JSON Schema counts characters. An id here is therefore 256 ASCII characters
or 64 of any kind, a text 256 characters: never longer than what the services take.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from engine.ids import NO_IDS, canonical_id, id_problem
from engine.types import AttributeValue, ItemFilter
from engine.vocabulary import (
    DEFAULT_CANDIDATES,
    DEFAULT_PAGE,
    MAX_BATCH,
    MAX_CANDIDATES,
    MAX_EXCLUDED,
    MAX_FILTER_VALUES,
    MAX_PAGE,
    MAX_SESSION_ITEMS,
    MIN_CANDIDATES,
)
from services.common.validate import coerced_page_size

ID = r"^(?:[\x20-\x7e]{1,256}|[^\x00-\x1f\x7f-\x9f]{1,64})$"
PATH_ID = r"^(?:[\x20-\x2e\x30-\x7e]{1,256}|[^\x00-\x1f/\x7f-\x9f]{1,64})$"
MAX_NUMBER = 1e12
MAX_MS = 253_402_300_799_999  # the end of the year 9999
WHO = ("user_id", "profile", "session_item_ids")


def _canonical(value: str) -> str:
    """The id as it is stored; the schema's `not` says the same of what is none."""
    value = canonical_id(value)
    if problem := id_problem(value):
        raise ValueError(problem)
    return value


class _NoIdInSchema:
    """Blanks and the words for "unknown" are refused."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        words = "|".join(map(re.escape, NO_IDS))
        return {**handler(core), "not": {"pattern": rf"^\s*({words})?\s*$"}}


Id = Annotated[str, StringConstraints(pattern=ID), AfterValidator(_canonical), _NoIdInSchema()]
PathId = Annotated[str, StringConstraints(pattern=PATH_ID), AfterValidator(_canonical), _NoIdInSchema()]
Name = Annotated[str, StringConstraints(pattern=ID)]
Text = Annotated[str, StringConstraints(max_length=256)]
Number = Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, le=MAX_NUMBER, allow_inf_nan=False)]
Value = Text | Number | Annotated[tuple[Text, ...], Field(max_length=64)]


class _NamesInSchema:
    """Names of another form are refused; Pydantic's own schema lets them have any value."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        ((pattern, value),) = schema.pop("patternProperties").items()
        return {**schema, "propertyNames": {"pattern": pattern}, "additionalProperties": value}


def _whole(value: object) -> object:
    """To JSON Schema, and to JSON, 5.0 is the whole number 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _page_size(value: int) -> int:
    """As the services do; here, so that what is cached by size is cached once."""
    return coerced_page_size(value)


Attributes = Annotated[dict[Name, Value], Field(max_length=64), _NamesInSchema()]
_WHOLE = BeforeValidator(_whole)
# Type checkers need the words of the contract spelled out; a test compares them with it.
Channel = Literal["two_tower", "item_to_item", "bought_again", "popular", "segment", "trending", "new"]
SimilarChannel = Literal["item_to_item", "two_tower", "content"]
EventType = Literal[
    "view", "click", "cart", "purchase", "favorite", "comment", "rate", "dislike", "impression"
]
Order = Literal["relevance", "popularity", "newest", "price_ascending", "price_descending"]

PageSize = Annotated[
    int,
    Field(ge=0, description=f"How many at most. 0: {DEFAULT_PAGE}; more than {MAX_PAGE}: {MAX_PAGE}."),
    _WHOLE,
    AfterValidator(_page_size),
]
CandidateCount = Annotated[int, Field(ge=MIN_CANDIDATES, le=MAX_CANDIDATES), _WHOLE]
Depth = Annotated[int, Field(ge=1, le=8), _WHOLE]
Moment = Annotated[int, Field(ge=0, le=MAX_MS), _WHOLE]
PageToken = Annotated[
    str,
    StringConstraints(max_length=1024),
    Field(description="`next_page_token` of the page before; empty for the first page."),
]
Placement = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$"),
    Field(description="Where the list is shown; part of its attribution token."),
]


def _no_default(schema: dict[str, Any]) -> None:
    """Absent is not the same as empty: "" stands for absent in Python only."""
    schema.pop("default", None)


def _require_a_shopper(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"required": [name]} for name in WHO]


class Input(BaseModel):
    """Base: strict types, no unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NoQuery(Input):
    """A call without parameters."""


class Filter(Input):
    """Which items may be shown; what is absent does not restrict."""

    categories: Annotated[tuple[Text, ...], Field(max_length=MAX_FILTER_VALUES)] = ()
    brands: Annotated[tuple[Text, ...], Field(max_length=MAX_FILTER_VALUES)] = ()
    price_min: Price | None = None
    price_max: Price | None = None
    exclude_item_ids: Annotated[tuple[Id, ...], Field(max_length=MAX_EXCLUDED)] = ()
    exclude_purchased: bool = False
    include_unavailable: bool = False

    def to_port(self) -> ItemFilter:
        """As the services take it."""
        return ItemFilter(
            categories=frozenset(self.categories),
            brands=frozenset(self.brands),
            price_min=self.price_min,
            price_max=self.price_max,
            exclude_item_ids=frozenset(self.exclude_item_ids),
            exclude_purchased=self.exclude_purchased,
            include_unavailable=self.include_unavailable,
        )


class RecommendationsQuery(Input):
    """A list for a known shopper."""

    user_id: Id = Field(description="The shopper; an unknown id gets what is popular and trending.")
    page_size: PageSize = DEFAULT_PAGE
    placement: Placement = "home"
    channel: Annotated[tuple[Channel, ...], Field(max_length=7)] = Field(
        (), description="Only candidates of these recall channels; repeat the parameter for several."
    )


class RecommendationsBody(Input):
    """A list for a shopper known by id, by profile, or by what the session looked at (newest first)."""

    model_config = ConfigDict(
        json_schema_extra=_require_a_shopper,
        extra="forbid",
        frozen=True,
        strict=True,
    )

    user_id: Id = Field("", description="The shopper.", json_schema_extra=_no_default)
    profile: Annotated[Attributes, Field(min_length=1)] = Field(
        default_factory=dict,
        description="Features of a new shopper by name; they override the stored ones in this call.",
    )
    session_item_ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MAX_SESSION_ITEMS)] = Field(
        (), description="Items just looked at, newest first.", json_schema_extra=_no_default
    )
    page_size: PageSize = DEFAULT_PAGE
    filter: Filter = Filter()
    placement: Placement = "home"
    candidate_count: CandidateCount = Field(DEFAULT_CANDIDATES, description="How many candidates are ranked.")
    channels: Annotated[tuple[Channel, ...], Field(max_length=7)] = Field(
        (), description="Only candidates of these recall channels; empty for all."
    )

    @model_validator(mode="after")
    def _has_a_shopper(self) -> RecommendationsBody:
        if self.model_fields_set.isdisjoint(WHO):
            raise ValueError(f"one of {', '.join(WHO)} is needed")
        return self

    def port_profile(self) -> dict[str, AttributeValue] | None:
        """The profile as the services take it; None when there is none."""
        return dict(self.profile) or None


class SimilarQuery(Input):
    """Items like one item."""

    page_size: PageSize = DEFAULT_PAGE
    placement: Placement = "similar"
    channel: Annotated[tuple[SimilarChannel, ...], Field(max_length=3)] = Field(
        (),
        description="`item_to_item`: bought together; `two_tower`: alternatives; `content`: alike by what is"
        " written about them, also for items that nobody bought yet. All when absent.",
    )


class ItemsQuery(Input):
    """The catalogue in pages, or the items with the given ids."""

    id: Annotated[tuple[Id, ...], Field(max_length=100)] = Field(
        (), description="Only these items; repeat the parameter. Paging does not apply."
    )
    page_size: PageSize = DEFAULT_PAGE
    page_token: PageToken = ""


class SearchParameters(Input):
    """A search, or browsing when `query` is empty."""

    query: str = Field("", max_length=200, description="What was typed; typing errors are forgiven.")
    category: Annotated[tuple[Text, ...], Field(max_length=8)] = Field(
        (), description="The path of a category from the root; repeat the parameter, one a level."
    )
    brand: Annotated[tuple[Text, ...], Field(max_length=MAX_FILTER_VALUES)] = Field(
        (), description="Only these brands."
    )
    price_min: Price | None = None
    price_max: Price | None = None
    order: Order = Field(
        "relevance",
        description="Without it: relevance if there is a query, else popularity.",
        json_schema_extra=_no_default,
    )
    page_size: PageSize = DEFAULT_PAGE
    page_token: PageToken = ""
    include_unavailable: bool = False
    variant_of: Id = Field("", description="Only variants of this item.", json_schema_extra=_no_default)


class CategoriesQuery(Input):
    """The category tree."""

    depth: Depth = Field(2, description="Levels to answer.")


class EventsQuery(Input):
    """A shopper's events in pages."""

    page_size: PageSize = DEFAULT_PAGE
    page_token: PageToken = ""


class UserBody(Input):
    """A shopper's features by name, as the dataset has them."""

    attributes: Attributes = Field(default_factory=dict)


class EventBody(Input):
    """Something a shopper did with an item."""

    user_id: Id
    item_id: Id
    type: EventType
    at_ms: Moment = Field(0, description="Milliseconds since 1970 UTC; 0: now.")
    value: Number = Field(0.0, description="Money of a purchase, stars of a rating.")
    attribution_token: str = Field(
        "", pattern=r"^[\x20-\x7e]{0,256}$", description="Of the list the item was shown in."
    )
    event_id: str = Field(
        "", pattern=r"^[\x20-\x7e]{0,128}$", description="Your own id: the same one is stored once."
    )


class EventsBody(Input):
    """Events to record; all are checked before the first is stored."""

    events: Annotated[tuple[EventBody, ...], Field(min_length=1, max_length=MAX_BATCH)]
