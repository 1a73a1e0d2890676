"""The stages of a recommendation: the whole of it, recall, rank, and similar items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, url_for

from engine.candidates import RecallResult
from engine.dataset import Feature
from engine.types import Item, ItemExplanation, Recommendation, RecommendQuery
from engine.vocabulary import CHANNELS, SIMILAR_CHANNELS
from webapp.console.asking import (
    MERGED,
    MOST_RANKED,
    asked,
    best_candidates,
    recalled,
    scores_only,
    timeout_s,
)
from webapp.console.blueprint import blueprint
from webapp.console.inputs import FEATURE, Form, Who, read_who
from webapp.console.people import context_of, read_items, unknown_user
from webapp.console.stage_tables import candidate_table, flow_table, rank_table
from webapp.console.state import rank_port, recall_port
from webapp.console.tables import Table, address
from webapp.console.trace import Trace, recording
from webapp.i18n import gettext as _
from webapp.shop import current_shop


@blueprint.get("/flow")
def flow() -> tuple[str, int]:
    """The whole request, as the shop makes it: list, reasons, time by stage."""
    form, features = Form(), current_shop().dataset.get().user_features
    who = read_who(form, features)
    size = form.whole("size", 20, 1, 100)
    candidates = form.whole("candidates", 200, 50, 500)
    channels = form.choices("channels", CHANNELS)
    answer: Recommendation | None = None
    with recording() as trace:
        if who.asked and not form.problems:
            query = RecommendQuery(
                user_id=who.user_id,
                profile=who.attributes or None,
                session_item_ids=who.session,
                page_size=size,
                candidate_count=candidates,
                placement="console",
                channels=channels,
            )
            port = current_shop().services.recommend
            answer = asked(trace, form, "recommend.Recommend", lambda: port.recommend(query, timeout_s()))
            if answer:
                trace.parts(answer.timings_ms)
                if who.user_id and not answer.user_known:
                    form.unknown("user_id", unknown_user(who.user_id))
    table = flow_table(answer) if answer else None
    return _page("flow", form, who, features, trace, answer=answer, table=table, channels=CHANNELS)


@blueprint.get("/recall")
def recall() -> tuple[str, int]:
    """Candidates of every channel, each by itself and merged."""
    form, features = Form(), current_shop().dataset.get().user_features
    who = read_who(form, features)
    top_k = form.whole("top_k", 200, 1, 1000)
    view = next(iter(form.choices("view", (MERGED, *CHANNELS))), MERGED)
    results: dict[str, RecallResult] = {}
    table: Table | None = None
    with recording() as trace:
        context = context_of(trace, form, who) if who.asked and not form.problems else None
        if context is not None:
            results = recalled(trace, form, context, top_k, view)
            shown = results.get(view)
            if shown:
                wanted = [one.item_id for one in shown.candidates]
                reasons = [one.reason_item_id for one in shown.candidates if one.reason_item_id]
                table = candidate_table(view, shown.candidates, read_items(trace, [*wanted, *reasons]))
    return _page(
        "recall",
        form,
        who,
        features,
        trace,
        view=view,
        views=_views(view, results),
        result=results.get(view),
        table=table,
    )


@blueprint.get("/rank")
def rank() -> tuple[str, int]:
    """Scores of chosen items, or of recall's best, and what moved them."""
    form, features = Form(), current_shop().dataset.get().user_features
    who = read_who(form, features)
    wanted = form.ids("ids", MOST_RANKED)
    found: tuple[ItemExplanation, ...] | None = None
    release = ""
    missing: tuple[str, ...] = ()
    items: Mapping[str, Item] = {}
    with recording() as trace:
        context = context_of(trace, form, who) if who.asked and not form.problems else None
        if context is not None:
            ids = wanted or best_candidates(trace, form, context)
            if ids:
                answer = asked(
                    trace,
                    form,
                    "rank.ExplainItems",
                    lambda: rank_port().explain_items(context, ids, timeout_s()),
                )
                if answer:
                    found, release, missing = answer.items, answer.release, answer.missing_ids
                else:
                    found, release, missing = scores_only(trace, form, context, ids)
                items = read_items(trace, ids)
    if missing:
        form.unknown(
            "ids",
            _("Not in this release: %(ids)s.", ids=", ".join(one[:60] for one in missing)),
            partly=bool(found),
        )
    table = rank_table(found, items) if found else None
    return _page("rank", form, who, features, trace, release=release, table=table, most=MOST_RANKED)


@blueprint.get("/similar")
def similar() -> tuple[str, int]:
    """Items like one, by channel."""
    form = Form()
    item_id = form.id("item_id")
    top_k = form.whole("top_k", 50, 1, 1000)
    channels = form.choices("channels", SIMILAR_CHANNELS)
    result: RecallResult | None = None
    items: Mapping[str, Item] = {}
    with recording() as trace:
        if item_id and not form.problems:
            result = asked(
                trace,
                form,
                "recall.SimilarItems",
                lambda: recall_port().similar_items(item_id, top_k, timeout_s(), channels=channels),
            )
            found = result.candidates if result else ()
            items = read_items(trace, [item_id, *(one.item_id for one in found)])
    table = candidate_table(MERGED, result.candidates, items, reasons=False) if result else None
    page = render_template(
        "console/similar.html",
        form=form,
        trace=trace,
        item_id=item_id,
        item=items.get(item_id),
        result=result,
        table=table,
        channels=SIMILAR_CHANNELS,
    )
    return page, form.status


def _page(
    name: str, form: Form, who: Who, features: Sequence[Feature], trace: Trace, **shown: object
) -> tuple[str, int]:
    """A stage's page for a user, with what it alone shows."""
    page = render_template(
        f"console/{name}.html",
        form=form,
        who=who,
        features=features,
        trace=trace,
        next_stages=_next_stages(who),
        **shown,
    )
    return page, form.status


def _views(view: str, results: Mapping[str, RecallResult]) -> list[dict[str, object]]:
    """Merged and each channel: how many candidates, in the merged list too, and why none."""
    merged = results.get(MERGED)
    reports = {one.channel: one for one in merged.channels} if merged else {}
    kept = {
        channel: sum(channel in one.channels for one in merged.candidates) if merged else 0
        for channel in CHANNELS
    }
    return [
        {
            "name": name,
            "url": address({"view": name, "found_page": None, "found_sort": None}),
            "current": name == view,
            "count": len(results[name].candidates) if name in results else None,
            "kept": kept.get(name),
            "error": reports[name].error if name in reports else "",
        }
        for name in (MERGED, *CHANNELS)
    ]


def _next_stages(who: Who) -> list[tuple[str, str]]:
    """The same user on the other pages."""
    if not who.asked:
        return []
    carried: dict[str, Any] = {"user_id": who.user_id, "session": ",".join(who.session)}
    carried |= {
        FEATURE + name: list(value) if isinstance(value, tuple) else value
        for name, value in who.attributes.items()
    }
    links = [
        (text, url_for(f"console.{name}", **{key: value for key, value in carried.items() if value}))
        for name, text in (("flow", _("Full flow")), ("recall", _("Recall")), ("rank", _("Rank")))
    ]
    if who.user_id:
        links.append((_("Profile and events"), url_for("console.user", user_id=who.user_id)))
    return links
