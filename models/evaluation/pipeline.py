"""The method ``pipeline``: a release trained on the protocol's training window, asked as services ask it.

Each user's context goes through the engine's recall, rank and page, the functions that the services run, with
the release's ONNX files and exact search in place of Milvus. The list is the candidates by the ranker's
probability; ``page`` adds the rules of variety and session.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine import page as pages
from engine.chain import reached_from
from engine.features import Event, Feeds, UserContext
from engine.page import Policy, arrange
from engine.rank import score
from engine.recall.channels import Request, recall
from engine.recall.exact import ExactSearch
from engine.recall.session import session_items
from engine.release import Release
from engine.snapshot import Snapshot
from engine.types import NO_FILTER, ItemFilter
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.evaluation.candidates import Scored, rank_metrics
from models.evaluation.errors import ProtocolError
from models.evaluation.protocols import Outcome, finish, truths
from models.evaluation.ranking import EMPTY_PLACE, RankedLists
from models.evaluation.retail import RetailSplit
from models.evaluation.trained import train_release
from models.training.config import RecallConfig
from models.training.export import onnx_runner

IntArray = npt.NDArray[np.int64]

_TIMEOUT_S = 30.0  # nobody waits: no request may be cut short


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
    """Recall, rank and page of one release in this process."""

    def __init__(self, release: Release) -> None:
        self.release = release
        tower = OnnxTower(release.user_tower_onnx)
        self.snapshot = Snapshot.of(release, tower, ExactSearch(np.array(release.vectors)))
        self._run = onnx_runner(release.rank_onnx)
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
        rows = np.full((len(users), k), EMPTY_PLACE, np.int64)
        scores = np.full((len(users), k), -1.0, np.float32)
        channel = np.full((len(users), k), "", dtype="<U16")
        seen: list[tuple[IntArray, npt.NDArray[np.float32]]] = []
        limit = self.release.schema.history_length
        asked = tqdm(contexts(split, users, limit), "lists", len(users), disable=None, leave=False)
        for line, (user, context) in enumerate(asked):
            scored = self._scored(context, wanted)
            if not page:  # what nobody has bought yet is no item of the protocol
                scored = scored.take(np.flatnonzero(scored.candidates.rows < len(self.snapshot.table)))
            if wanted.exclude_purchased:
                fresh = ~np.isin(scored.candidates.rows, split.bought[user].indices)
                scored = scored.take(np.flatnonzero(fresh))
            place = scored.candidates.rows
            known = place < len(self.snapshot.table)
            seen.append((place[known], scored.scores[known]))
            if page and scored.categories is not None:
                order = arrange(Policy(), scored.categories.tolist(), scored.from_session.tolist(), k)
                scored = scored.take(order)
            count = min(k, len(scored.scores))
            place = scored.candidates.rows[:count]
            rows[line, :count] = np.where(place < len(self.snapshot.table), place, EMPTY_PLACE)
            scores[line, :count] = scored.scores[:count]
            channel[line, :count] = [scored.candidates.channels(one)[0] for one in range(count)]
        return RankedLists(users, rows, scores, channel), Scored.join(seen)

    def _scored(self, context: UserContext, wanted: ItemFilter) -> pages.Scored:
        """A shopper's candidates in the order of the page."""
        snapshot = self.snapshot
        past = snapshot.encoder.summary(context)
        request = Request(snapshot, context, past, self._count, lambda: _TIMEOUT_S, wanted)
        found = recall(request, failed=_stop)
        candidates = found.candidates
        scores = score(snapshot, context, candidates.rows, self._predict, _TIMEOUT_S, past)
        session = reached_from(session_items(context), candidates)
        scored = pages.Scored(candidates, scores, snapshot.categories_of(candidates), session)
        return pages.ranked(Policy(), scored, (), bool(context.events))

    def _predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        return np.asarray(self._run(dict(feeds)), np.float32).reshape(-1)


class OnnxTower:
    """The user tower's file in ONNX Runtime. Implements `engine.snapshot.UserTower`."""

    def __init__(self, path: Path) -> None:
        self._run = onnx_runner(path)

    def encode(self, feeds: Mapping[str, npt.NDArray[np.generic]]) -> npt.NDArray[np.float32]:
        """float32 [D], L2-normalised."""
        vector: npt.NDArray[np.float32] = self._run(dict(feeds))[0]
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _stop(channel: str, error: Exception) -> None:
    raise PipelineError(f"channel {channel} failed: {error}") from error


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
    return int(release.manifest["config"]["recall"].get("total", RecallConfig().total))
