"""Asking recall and rank for the pages; what they say of something typed is told at its field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.candidates import RecallResult
from engine.errors import InvalidArgument, NotFound
from engine.features import UserContext
from engine.types import ItemExplanation
from engine.vocabulary import CHANNELS
from webapp.console.inputs import Form
from webapp.console.state import current_console, rank_port, recall_port
from webapp.console.trace import Trace

MERGED = "merged"
MOST_RANKED = 50
FIELDS = {
    "item_ids": "ids",
    "session_item_ids": "session",
    "page_size": "size",
    "candidate_count": "candidates",
    "item_id": "item_id",
    "top_k": "top_k",
    "channels": "channels",
}
"""Fields of requests and what they are called in the forms; others are about the user: told at the id."""
T = TypeVar("T")


def timeout_s() -> float:
    """What one call of a page may take, in seconds."""
    return current_console().call_timeout_s


def asked(trace: Trace, form: Form, name: str, call: Callable[[], T], *, raw: bool = True) -> T | None:
    """The answer; what the service says of something typed is told at its field."""
    try:
        return trace.ask(name, call, InvalidArgument, NotFound, raw=raw)
    except InvalidArgument as error:
        field = error.field.partition("[")[0]
        form.problem(FIELDS.get(field, "user_id"), str(error))
    except NotFound as error:
        form.unknown("item_id", str(error))
    return None


def recalled(
    trace: Trace, form: Form, context: UserContext, top_k: int, view: str
) -> dict[str, RecallResult]:
    """Recall merged, then each channel by itself, by the name of the view; raw only the one shown."""
    results: dict[str, RecallResult] = {}
    merged = asked(
        trace,
        form,
        "recall.RecallItems",
        lambda: recall_port().recall_items(context, top_k, timeout_s()),
        raw=view == MERGED,
    )
    if merged is None:  # it would fail seven times more
        return {}
    results[MERGED] = merged
    for channel in CHANNELS:
        result = asked(
            trace,
            form,
            f"recall.RecallItems {channel}",
            lambda channel=channel: recall_port().recall_items(  # type: ignore[misc]  # bound now
                context, top_k, timeout_s(), channels=(channel,)
            ),
            raw=channel == view,
        )
        if result is not None:
            results[channel] = result
    return results


def best_candidates(trace: Trace, form: Form, context: UserContext) -> list[str]:
    """Recall's first fifty: what is ranked when no items are named."""
    result = asked(
        trace,
        form,
        "recall.RecallItems",
        lambda: recall_port().recall_items(context, MOST_RANKED, timeout_s()),
    )
    return [one.item_id for one in result.candidates][:MOST_RANKED] if result else []


def scores_only(
    trace: Trace, form: Form, context: UserContext, ids: Sequence[str]
) -> tuple[tuple[ItemExplanation, ...] | None, str, tuple[str, ...]]:
    """When explaining fails, the plain scores."""
    if form.problems:
        return None, "", ()
    result = asked(trace, form, "rank.RankItems", lambda: rank_port().rank_items(context, ids, timeout_s()))
    if result is None:
        return None, "", ()
    scored = zip(ids, result.scores, strict=True)
    found = tuple(ItemExplanation(one, float(score), ()) for one, score in scored if score >= 0)
    return found, result.release, result.missing_ids
