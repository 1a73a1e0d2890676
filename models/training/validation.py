"""Measures the whole pipeline, recall and rank as served, on a window it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import DAY_MS
from models.evaluation import auc, mean_metrics
from models.training.dataset import CatalogueEvents
from models.training.moment import Moment, best
from models.training.samples import RankSamples

IntArray = npt.NDArray[np.int64]
Metrics = dict[str, Any]

_FEW = 30  # shoppers: with fewer, one list more or less decides the comparison
_HALF_LIFE_DAYS = 90.0  # of personal frequency, the strongest simple baseline


def measure(
    events: CatalogueEvents,
    moment: Moment,
    samples: RankSamples,
    logits: npt.NDArray[np.float32],
    window: int,
) -> Metrics:
    """Recall@20 and NDCG@20 of the pipeline and of simple methods over all items, for users active in the
    window. "novel" leaves out what the user took before, from lists and truth; no list has random candidates.
    """
    begin = moment.table.data_end
    popular = best(moment.popular, len(moment.popular))
    lists: dict[str, list[tuple[IntArray, IntArray]]] = {}
    found = []
    for group, user in enumerate(samples.user.tolist()):
        start = int(samples.group[group])
        recalled = slice(start, start + int(samples.n_recalled[group]))
        rows = samples.row[recalled].astype(np.int64)
        ranked = rows[np.argsort(-logits[recalled], kind="stable")]
        truth = events.positives(user, begin, begin + window)
        before = events.positives(user, events.data.begin, begin)
        personal = _personal(events, user, begin)
        personal = np.concatenate([personal, popular[~np.isin(popular, personal)]])
        found.append(np.isin(truth, rows).mean() if len(truth) else 1.0)
        fresh = np.setdiff1d(truth, before)
        for name, method in (
            ("pipeline", ranked),
            ("popularity", popular[:20]),
            ("personal_frequency", personal),
        ):
            lists.setdefault(name, []).append((method, truth))
        unseen = popular[: 20 + len(before)]
        lists.setdefault("pipeline_novel", []).append((ranked[~np.isin(ranked, before)], fresh))
        lists.setdefault("popularity_novel", []).append((unseen[~np.isin(unseen, before)], fresh))
    metrics: Metrics = {name: mean_metrics(pairs) for name, pairs in lists.items()}
    metrics["candidate_recall"] = round(float(np.mean(found)), 5)
    metrics["ranker_auc"] = round(auc(logits, samples.label), 5)
    metrics["popularity_auc"] = round(auc(moment.popular[samples.row], samples.label), 5)
    metrics["shoppers"] = len(samples.user)
    metrics["window_days"] = round(window / DAY_MS, 2)
    return metrics


def summary(metrics: Metrics) -> str:
    """One line for the terminal."""
    parts = (
        f"{name} {metrics[name]['ndcg_at_20']:.4f}"
        for name in ("pipeline", "personal_frequency", "popularity")
    )
    measured = metrics["shoppers"]
    few = " (too few to tell)" if measured < _FEW else ""
    novel = [metrics[f"{name}_novel"]["ndcg_at_20"] for name in ("pipeline", "popularity")]
    return (
        f"N@20 {', '.join(parts)}; novel {novel[0]:.4f} / {novel[1]:.4f}; AUC {metrics['ranker_auc']:.4f}; "
        f"{measured:,} shoppers{few}"
    )


def _personal(events: CatalogueEvents, user: int, begin: int) -> IntArray:
    """Rows the user took, by number of times with a half-life of 90 days, best first."""
    stream = events.data.events
    part = stream.before(user, begin, len(stream.at))
    rows, taken = events.row[part], events.data.positive[stream.type[part]]
    chosen = (rows >= 0) & taken
    weights = np.exp2(-(begin - stream.at[part][chosen]) / (_HALF_LIFE_DAYS * DAY_MS))
    items, inverse = np.unique(rows[chosen], return_inverse=True)
    return items[np.argsort(-np.bincount(inverse, weights, len(items)), kind="stable")]
