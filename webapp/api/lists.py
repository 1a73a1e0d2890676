"""Recommendations, similar items and recorded events."""

from __future__ import annotations

from engine.types import RecommendQuery, UserEvent
from webapp.api.answers import Recommendations, Recorded
from webapp.api.inputs import EventsBody, RecommendationsBody, RecommendationsQuery, SimilarQuery
from webapp.api.operations import operation
from webapp.shop import current_shop


@operation(
    "GET", "/recommendations", "lists", query=RecommendationsQuery, answer=Recommendations, problems=(504,)
)
def get_recommendations(query: RecommendationsQuery) -> Recommendations:
    """A list for a known shopper.

    If a part behind it fails, a list is still given and `degraded` says what it was made without; if nothing
    personal can be had, it is what is popular, with `CANDIDATES`, without a token.
    """
    return _recommended(
        RecommendQuery(
            user_id=query.user_id,
            page_size=query.page_size,
            placement=query.placement,
            channels=query.channel,
        )
    )


@operation(
    "POST", "/recommendations", "lists", body=RecommendationsBody, answer=Recommendations, problems=(504,)
)
def make_recommendations(body: RecommendationsBody) -> Recommendations:
    """A list by id, profile or session.

    Changes nothing: it is a POST because profile, session and filter do not fit an address.
    """
    return _recommended(
        RecommendQuery(
            user_id=body.user_id,
            profile=body.port_profile(),
            session_item_ids=body.session_item_ids,
            page_size=body.page_size,
            filter=body.filter.to_port(),
            placement=body.placement,
            candidate_count=body.candidate_count,
            channels=body.channels,
        )
    )


@operation(
    "GET",
    "/items/{item_id}/similar",
    "lists",
    query=SimilarQuery,
    answer=Recommendations,
    problems=(404, 504),
)
def list_similar_items(item_id: str, query: SimilarQuery) -> Recommendations:
    """Items like the given one."""
    shop = current_shop()
    found = shop.stand_ins.similar(
        item_id,
        lambda: shop.services.recommend.similar_items(
            item_id,
            shop.list_timeout_s,
            page_size=query.page_size,
            placement=query.placement,
            channels=query.channel,
        ),
        (query.page_size, query.placement, query.channel),
        query.page_size,
        shop.call_timeout_s,
    )
    return Recommendations.of(found)


@operation("POST", "/events", "events", body=EventsBody, answer=Recorded, problems=(504,))
def record_events(body: EventsBody) -> Recorded:
    """Record what shoppers did.

    Acknowledged events are stored, and count in the very next list. An event with an `event_id` can be sent
    again safely. An `impression`, an item shown in a list, is stored apart: it changes no list, and sent
    twice it is stored twice.
    """
    events = [
        UserEvent(
            user_id=event.user_id,
            item_id=event.item_id,
            type=event.type,
            at_ms=event.at_ms,
            value=event.value,
            attribution_token=event.attribution_token,
            event_id=event.event_id,
        )
        for event in body.events
    ]
    shop = current_shop()
    return Recorded(recorded=shop.services.user.record_user_events(events, shop.call_timeout_s))


def _recommended(asked: RecommendQuery) -> Recommendations:
    shop = current_shop()
    found = shop.stand_ins.recommended(
        lambda: shop.services.recommend.recommend(asked, shop.list_timeout_s),
        asked.filter,
        asked.page_size,
        shop.call_timeout_s,
    )
    return Recommendations.of(found)
