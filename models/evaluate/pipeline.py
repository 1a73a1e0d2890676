"""The method ``pipeline``: a release trained on the protocol's training window, asked as services ask it.

Each user's context goes through ``RecallService.recall_items`` and ``RankService.rank_items`` in this
process: the same classes, filters and ONNX files as behind gRPC, exact search standing in for Milvus. The
list is the candidates by the ranker's probability. ``page`` adds what recommend does to that order: its
variety and session rules (``engine/policy.py``). This and
``new_items_served.py`` are the places of ``models`` that know the services (docs/adr/0150).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine.features import Event, UserContext
from engine.policy import Policy, arrange, place_new
from engine.recall.exact import ExactIndex
from engine.recall.filters import LiveSet
from engine.recall.session import session_items
from engine.release import Release
from engine.types import NO_FILTER, Candidate, ItemFilter
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.config import RecallConfig
from models.evaluate.candidates import Scored, rank_metrics
from models.evaluate.errors import ProtocolError
from models.evaluate.protocols import Outcome, finish, truths
from models.evaluate.ranking import NOBODY, RankedLists
from models.evaluate.retail import RetailSplit
from models.evaluate.trained import train_release
from services.adapters.snapshots import load_snapshot
from services.rank.loaded import LoadedRanker
from services.rank.predictor_onnx import OnnxPredictor
from services.rank.service import RankService
from services.recall.service import RecallService

IntArray = npt.NDArray[np.int64]

_TIMEOUT_S = 30.0  # nobody waits: no request may be cut short
_EVERYTHING = 1_000_000


class PipelineError(ProtocolError):
    """The release does not fit the protocol; the message says in what."""


def run_pipeline(
    split: RetailSplit,
    prepared: Path,
    config: str,
    seed: int,
    artifacts: Path,
    release: Path | None = None,
    *,
    page: bool = False,
    k: int = 20,
) -> Outcome:
    """Train on what lies before the split's cut, unless a ``release`` that was is given, and ask it.

    Raises PipelineError if the release knows something of the test or has another catalogue.
    """
    outcome = Outcome()
    began = time.monotonic()
    folder = release or train_release(split, prepared, config, seed, artifacts)
    outcome.release = folder
    served = Served(Release.load(folder))
    # What was trained before has the time it took then in its manifest.
    before = sum(served.release.manifest.get("metrics", {}).get("seconds", {}).values())
    outcome.seconds["train"] = max(time.monotonic() - began, before)
    began = time.monotonic()
    served.check(split)
    for variant, (users, truth) in truths(split).items():
        wanted = ItemFilter(exclude_purchased=True) if variant == "novel" else NO_FILTER
        outcome.lists[variant], scored = served.lists(split, users, wanted, k, page)
        outcome.rank[variant] = rank_metrics(scored, truth)
    outcome.seconds["lists"] = time.monotonic() - began
    return finish(outcome, split, seed, k)


class Served:
    """Recall and rank of one release in this process."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._loaded = load_snapshot(release, ExactIndex(release.vectors), exact_limit=_EVERYTHING)
        predictor = OnnxPredictor(release.rank_onnx, release.name)
        predictor.open()
        self._recall = RecallService(_One(self._loaded), _AllAvailable())
        self._rank = RankService(_One(LoadedRanker(release, predictor, lambda: predictor)))
        slots = enumerate(release.schema.item_slots)
        levels = [place for place, slot in slots if slot.name.startswith("category_")]
        # Without categories each is unknown, 0, which the page's rules never limit.
        self._category = (
            release.items.features[:, levels[-1]] if levels else np.zeros(len(release.items), np.int64)
        )
        self._count = candidate_count(release)

    def check(self, split: RetailSplit) -> None:
        """Raises PipelineError unless the release was trained before the cut, on the split's catalogue."""
        if self.release.data_end > split.cut:
            raise PipelineError(f"{self.release.path}: was trained on events of the test window: train again")
        if list(self.release.items.ids) != split.item_ids:
            raise PipelineError(f"{self.release.path}: has another catalogue than the protocol: train again")

    def lists(
        self, split: RetailSplit, users: IntArray, wanted: ItemFilter, k: int, page: bool
    ) -> tuple[RankedLists, Scored]:
        """The lists of some users and the candidates they are made from. Where what was bought is not wanted,
        what of it the context, limited to ``schema.history_length`` events, no longer holds is taken out too.
        """
        rows = np.full((len(users), k), NOBODY, np.int64)
        scores = np.full((len(users), k), -1.0, np.float32)
        channel = np.full((len(users), k), "", dtype="<U16")
        seen: list[tuple[IntArray, npt.NDArray[np.float32]]] = []
        limit = self.release.schema.history_length
        asked = tqdm(contexts(split, users, limit), "lists", len(users), disable=None, leave=False)
        for line, (user, context) in enumerate(asked):
            found = self._recall.recall_items(context, self._count, _TIMEOUT_S, item_filter=wanted)
            if found.degraded or any(report.error for report in found.channels):
                raise PipelineError(f"recall failed in part for user {context.user_id}: {found.channels}")
            candidates = found.candidates
            if not candidates:
                seen.append((np.zeros(0, np.int64), np.zeros(0, np.float32)))
                continue
            ranked = self._rank.rank_items(context, [c.item_id for c in candidates], _TIMEOUT_S).scores
            order = np.argsort(-ranked, kind="stable")
            if page:  # what nobody has bought yet takes its place, though it is no item of the protocol
                order = np.array(place_new(Policy(), order.tolist(), (ranked < 0).tolist()))
            else:
                order = order[ranked[order] >= 0]
            place = self._loaded.rows_of([candidates[i].item_id for i in order.tolist()])
            if wanted.exclude_purchased:
                fresh = ~np.isin(place, split.bought[user].indices)
                order, place = order[fresh], place[fresh]
            seen.append((place[place >= 0], ranked[order[place >= 0]]))
            if page:
                kept = self._arranged(context, [candidates[i] for i in order.tolist()], place, k)
                order, place = order[kept], place[kept]
            count = min(k, len(order))
            rows[line, :count], scores[line, :count] = place[:k], ranked[order[:k]]
            channel[line, :count] = [candidates[i].channels[0] for i in order[:k].tolist()]
        return RankedLists(users, rows, scores, channel), Scored.join(seen)

    def _arranged(
        self, context: UserContext, candidates: Sequence[Candidate], rows: IntArray, k: int
    ) -> list[int]:
        """Positions in recommend's order of the page."""
        session = frozenset(session_items(context))
        reached = [c.reason_item_id in session and "item_to_item" in c.channels for c in candidates]
        categories = np.where(rows >= 0, self._category[rows], 0)
        return arrange(Policy(), categories.tolist(), reached, k)


def contexts(split: RetailSplit, users: IntArray, limit: int) -> Iterator[tuple[int, UserContext]]:
    """Each user's context as the user service gives it at the cut: profile and newest events before it."""
    data = split.data
    events = data.events
    for user in users.tolist():
        part = events.before(user, split.cut, limit)
        lines = zip(
            events.item[part][::-1].tolist(),
            events.type[part][::-1].tolist(),
            events.at[part][::-1].tolist(),
            strict=True,
        )
        past = [
            Event(data.item_ids[item] if item >= 0 else "", HISTORY_EVENT_TYPES[kind], at)
            for item, kind, at in lines
        ]
        yield user, UserContext(data.user_ids[user], data.profiles[user], past, split.cut)


def candidate_count(release: Release) -> int:
    """How many candidates the release's ranker learnt on: what recommend should ask for."""
    return RecallConfig(**release.manifest["config"]["recall"]).total


class _One:
    """A store that holds one release."""

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def get(self, name: str = "") -> Any:
        """It."""
        return self._loaded


class _AllAvailable:
    """Nothing is sold out."""

    current = LiveSet(0, None)
