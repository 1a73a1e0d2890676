"""Shoppers and their events; and the health of what stands behind the API."""

from __future__ import annotations

from engine.types import UserProfile
from webapp.api.answers import Events, Health, User
from webapp.api.inputs import EventsQuery, UserBody
from webapp.api.operations import operation
from webapp.health import probe_services
from webapp.shop import current_shop


@operation("GET", "/users/{user_id}", "users", answer=User, problems=(404, 504))
def get_user(user_id: str) -> User:
    """A shopper's features."""
    shop = current_shop()
    stored = shop.services.user.get_user(user_id, shop.call_timeout_s)
    return User(user_id=stored.user_id, attributes=stored.attributes)


@operation("PUT", "/users/{user_id}", "users", body=UserBody, answer=User, problems=(504,))
def put_user(user_id: str, body: UserBody) -> User:
    """Create or replace a shopper.

    Features that the dataset does not have are refused with 400.
    """
    shop = current_shop()
    shop.services.user.upsert_users([UserProfile(user_id, dict(body.attributes))], shop.call_timeout_s)
    return User(user_id=user_id, attributes=body.attributes)


@operation("DELETE", "/users/{user_id}", "users", problems=(504,))
def delete_user(user_id: str) -> None:
    """Delete a shopper with all events.

    Deleting an unknown one is not an error.
    """
    shop = current_shop()
    shop.services.user.delete_user(user_id, shop.call_timeout_s)


@operation("GET", "/users/{user_id}/events", "users", query=EventsQuery, answer=Events, problems=(504,))
def list_user_events(user_id: str, query: EventsQuery) -> Events:
    """A shopper's events, newest first."""
    shop = current_shop()
    events, token = shop.services.user.list_user_events(
        user_id, query.page_size, query.page_token, shop.call_timeout_s
    )
    return Events.of(events, token)


@operation("GET", "/health", "health", answer=Health, public=True)
def get_health() -> Health:
    """Whether the services behind the API answer.

    Answers 503 with the same document when one does not.
    """
    found = probe_services()
    return Health(status="ok" if set(found.values()) == {"ok"} else "unavailable", services=found)
