"""The first page: is everything well, which release is served, and how fast."""

from __future__ import annotations

import time
from typing import Any

from flask import g, make_response, render_template, url_for
from werkzeug.wrappers import Response

from webapp.console.blueprint import blueprint
from webapp.console.charts import sparkline
from webapp.console.history import Sample, figures_over_time
from webapp.console.live import Figures, Live
from webapp.console.people import number_cell
from webapp.console.probes import Health
from webapp.console.releases import ReleaseInfo, current_name, releases
from webapp.console.state import current_console, own_figures
from webapp.console.tables import Cell, Column, Row, Table, make_table
from webapp.i18n import gettext as _
from webapp.shop import cache_stats, current_shop

HEADLINE = (
    ("pipeline.recall_at_20", "Recall@20"),
    ("pipeline.ndcg_at_20", "NDCG@20"),
    ("candidate_recall", "Candidate recall"),
    ("ranker_auc", "Ranker AUC"),
)
"""Metrics that are compared between releases."""
ORDER = ("web", "recommend", "user", "recall", "rank", "item", "redis", "milvus", "serving")


@blueprint.get("/")
def index() -> str:
    """Health, release, live figures; the script renews the part that `live` makes."""
    console = current_console()
    name, source = current_name(console.redis, console.artifacts_dir)
    found = releases(console.artifacts_dir)
    current = next((one for one in found if one.name == name), None)
    return render_template(
        "console/index.html",
        release=current,
        release_name=name,
        release_source=source,
        headline=HEADLINE,
        refused_origins=sorted(current_shop().image_origins.refused),
        releases=_release_table(found, name),
        **_live_context(),
    )


@blueprint.get("/live")
def live() -> Response:
    """The part of the first page that changes by itself, as a piece of HTML."""
    g.console_path = url_for("console.index")  # its links lead to the whole page
    return make_response(render_template("console/_live.html", **_live_context()))


def _live_context() -> dict[str, Any]:
    console = current_console()
    figures = console.live.read(own_figures)
    health = console.probes.check()
    samples = console.history.add(_sample(figures))
    return {
        "parts": _parts(health, figures, samples),
        "figures": _figures_table(figures, samples),
        "cache": cache_stats(),
        "no_figures": figures.problem,
        "now": time.strftime("%H:%M:%S", time.gmtime()),
    }


def _sample(live: Live) -> dict[str, float]:
    sample: dict[str, float] = {}
    for one in live.figures:
        sample[f"{one.service}/{one.method}"] = round(one.p95_ms, 2)
    for service in {one.service for one in live.figures}:
        total = live.total(service)
        if total:
            sample[f"rate {service}"] = round(total.rate, 3)
    return sample


def _parts(health: tuple[Health, ...], live: Live, samples: list[Sample]) -> list[dict[str, Any]]:
    """A line for each part: health, versions, processes, rate."""
    asked = {one.part: one for one in health}
    asked.setdefault("web", Health("web", "", "", 0.0))
    lines = []
    for part in sorted(asked, key=lambda one: ORDER.index(one) if one in ORDER else len(ORDER)):
        mine, total = live.of(part), live.total(part)
        lines.append(
            {
                "health": asked[part],
                "versions": sorted({one.version for one in mine if one.version}),
                "releases": sorted({one.release for one in mine if one.release}),
                "pids": [one.pid for one in mine],
                "up_s": max((time.time() - one.started_at for one in mine if one.started_at), default=0.0),
                "rate": total.rate if total else None,
                "p95_ms": total.p95_ms if total else None,
                "errors": total.errors if total else 0,
                "spark": sparkline(figures_over_time(samples, f"rate {part}")),
            }
        )
    return lines


def _figures_table(live: Live, samples: list[Sample]) -> Table:
    columns = (
        Column("service", _("Service")),
        Column("method", _("RPC or page"), "code"),
        Column("rate", _("per s"), "number"),
        Column("count", _("in 60 s"), "number"),
        Column("errors", _("failed"), "number"),
        Column("p50", "p50 ms", "number"),
        Column("p95", "p95 ms", "number"),
        Column("p99", "p99 ms", "number"),
        Column("spark", _("p95, 6 min"), "spark", sortable=False),
    )
    return make_table(
        "rpcs", _("Answers of the last minute"), columns, [_figures_row(f, samples) for f in live.figures]
    )


def _figures_row(one: Figures, samples: list[Sample]) -> Row:
    return {
        "service": Cell(one.service, one.service),
        "method": Cell(one.method, one.method),
        "rate": number_cell(one.rate, "{:.2f}"),
        "count": number_cell(one.count, "{:.0f}"),
        "errors": number_cell(one.errors, "{:.0f}"),
        "p50": number_cell(one.p50_ms, "{:.1f}"),
        "p95": number_cell(one.p95_ms, "{:.1f}"),
        "p99": number_cell(one.p99_ms, "{:.1f}"),
        "spark": Cell(sparkline(figures_over_time(samples, f"{one.service}/{one.method}"))),
    }


def _release_table(found: list[ReleaseInfo], current: str) -> Table:
    columns = (
        Column("name", _("Release"), "code"),
        Column("created", _("Made (UTC)"), "code"),
        Column("config", _("Configuration")),
        Column("items", _("Items"), "number"),
        *(Column(key, label, "number") for key, label in HEADLINE),
        Column("gate", _("Gate")),
    )
    rows: list[Row] = [
        {
            "name": Cell(f"{one.name} ←" if one.name == current else one.name, one.name),
            "created": Cell(one.created[:19].replace("T", " ") or "–", one.created or None),
            "config": Cell(one.config or "–", one.config or None),
            "items": number_cell(one.items, "{:,.0f}"),
            **{key: number_cell(one.metric(key)) for key, _label in HEADLINE},
            "gate": Cell(one.gate or "–", one.gate or None),
        }
        for one in found
    ]
    return make_table("releases", _("All releases on disk"), columns, rows)
