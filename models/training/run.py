"""One training, stage by stage, from a prepared dataset to a published release.

The last window of the data is predicted from what came before it (validation, and the gate); then both models
go on learning from that window too, and the release is written. Time never runs backwards: towers are trained
on events before every window that ranker samples come from, and each sample sees only what was known then.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from rich.console import Console

from engine.features import FeatureEncoder, ItemTable
from models.evaluation import platt
from models.registry import make_ranker, make_tower, ranker_settings
from models.training import validation
from models.training.browsing import has_browsing
from models.training.catalogue import build_schema, purchases_before, select_items
from models.training.config import TrainConfig
from models.training.dataset import CatalogueEvents, DataFault, PreparedData
from models.training.fitting import (
    Checkpoints,
    fit,
    rank_batches,
    rank_logits,
    rank_steps,
    seed_everything,
    tower_batches,
)
from models.training.moment import Moment, encode_items, encode_users, knowledge_at
from models.training.new_shoppers import new_shopper_samples
from models.training.publish import Trained, publish
from models.training.requirements import check_events, check_windows
from models.training.samples import RankSamples, rank_samples, ranked_users, tower_samples
from models.training.windows import validation_window

_TOWER_DECAY = 1e-5  # AdamW's weight decay


class Training:
    """One run, stage by stage. Raises DataFault if the data are too short for the configuration."""

    def __init__(self, data: PreparedData, config: TrainConfig, artifacts: Path, console: Console) -> None:
        self.data, self.config, self.artifacts, self.console = data, config, artifacts, console
        check_events(data)
        self._began = self._last = time.monotonic()
        self.seconds: dict[str, float] = {}
        self.rng = np.random.default_rng(config.seed)
        chosen = select_items(data, config.catalogue)
        self.records = [data.records[index] for index in chosen.tolist()]
        self.schema = build_schema(data, self.records, config)
        listed = [record.get("listed_at") for record in self.records]
        self.listed_at = np.array([np.nan if value is None else float(value) for value in listed])
        self.base = ItemTable.from_records(self.schema, self.records, data.end)
        row = np.full(len(data.item_ids) + 1, -1, np.int64)  # the last one is for items not listed, index -1
        row[chosen] = np.arange(len(chosen))
        self.events = CatalogueEvents(data, row[data.events.item])
        self.kept = Checkpoints(
            artifacts / f".checkpoints-{_run_key(data, config, self.schema.fingerprint())}"
        )
        self.window = validation_window(data.begin, data.end, config.window_days)
        self.validate_from = data.end - self.window
        self.cutoffs = [self.validate_from - (k + 1) * self.window for k in range(config.rank.cutoffs)]
        self.tower_until = min(self.cutoffs)
        check_windows(self.events, [*self.cutoffs, self.validate_from], self.window)
        self.tower = make_tower(self.schema, config.tower)
        self.tower.fit_statistics(self.base.text)
        self.ranker = make_ranker(self.schema, config.rank)
        counts = (len(data.user_ids), len(self.records), len(data.events.at))
        self._done("data", "{:,} users, {:,} items, {:,} events".format(*counts))

    def run(self) -> tuple[Path, bool]:
        """All stages; returns the release's folder and whether it passed the gate."""
        first = self._knowledge_at(self.tower_until)
        later = [at for at in (*self.cutoffs, self.validate_from) if at != self.tower_until]
        earlier = None if self.config.fresh_neighbours else first
        moments = {self.tower_until: first, **{at: self._knowledge_at(at, earlier) for at in later}}
        self._done("statistics", f"and neighbours of items, as of {len(moments)} moments")
        self._learn_tower("tower", moments[self.tower_until], self.data.begin, self.config.tower.epochs)
        vectors = encode_items(self.tower, self.base)
        browsing = not has_browsing(self.data.events.type)
        learn = RankSamples.join(
            [self._ranker_samples(moments[at], vectors, browsing) for at in self.cutoffs]
        )
        check = self._candidates(moments[self.validate_from], vectors)
        self._done("candidates", f"{len(learn.label):,} rows, {learn.label.mean():.1%} taken")
        self.ranker.fit_statistics(learn.feeds)
        self._learn_ranker("ranker", learn, self.config.rank.epochs)
        logits = rank_logits(self.ranker, check)
        calibration = platt(logits, check.label)
        metrics = validation.measure(self.events, moments[self.validate_from], check, logits, self.window)
        passed = metrics["pipeline"]["ndcg_at_20"] > metrics["popularity"]["ndcg_at_20"]
        self._done("validation", validation.summary(metrics))
        # Before the towers go on: their candidates for this window must not be learnt from it.
        newest = self._ranker_samples(
            moments[self.validate_from], vectors, browsing, None if browsing else check
        )
        final = self._knowledge_at(self.data.end)
        self._learn_tower("tower-refit", final, self.tower_until, self.config.tower.refit_epochs)
        self._learn_ranker("ranker-refit", newest, self.config.rank.refit_epochs)
        metrics |= {"gate_passed": passed, "seconds": self.seconds}
        trained = Trained(
            self.data,
            self.config,
            self.schema,
            self.records,
            final,
            self.events,
            self.tower,
            self.ranker,
            calibration,
        )
        folder = publish(trained, check, metrics, self.artifacts)
        rmtree(self.kept.folder, ignore_errors=True)
        self._done("published", folder.name + ("" if passed else ": no better than popularity"))
        return folder, passed

    def _knowledge_at(self, at: int, earlier: Moment | None = None) -> Moment:
        bought = purchases_before(self.events, len(self.base), at)
        return knowledge_at(self.base, bought, self.data.profiles, self.listed_at, self.config, earlier)

    def _learn_tower(self, stage: str, moment: Moment, begin: int, epochs: int) -> None:
        """Train the towers on contexts from ``begin`` to the moment."""
        config = self.config.tower
        encoder = FeatureEncoder(self.schema, moment.table)
        samples = tower_samples(self.events, encoder, begin, moment.table.data_end, self.config, self.rng)
        batches = tower_batches(self.tower, samples, encoder, config)
        rate = config.learning_rate / (1 if stage == "tower" else 2)
        losses = fit(stage, self.tower, epochs, rate, _TOWER_DECAY, batches, self.config.seed, self.kept)
        self._done(stage, f"{len(samples.positives):,} contexts, loss {_trend(losses)}")

    def _learn_ranker(self, stage: str, samples: RankSamples, epochs: int) -> None:
        config = self.config.rank
        batches = rank_batches(self.ranker, samples, config)
        rate = config.learning_rate / (1 if stage == "ranker" else 2)
        decay, steps = config.weight_decay, rank_steps(samples, config)
        losses = fit(
            stage, self.ranker, epochs, rate, decay, batches, self.config.seed, self.kept, steps=steps
        )
        self._done(stage, f"{len(samples.label):,} rows, loss {_trend(losses)}")

    def _ranker_samples(
        self, moment: Moment, vectors: Any, browsing: bool, known: RankSamples | None = None
    ) -> RankSamples:
        """What the ranker learns from at a moment: shoppers with their history (``known`` if made before),
        and some as if they were new."""
        if known is None:
            known = self._candidates(moment, vectors, browsing)
        begin = moment.table.data_end
        window = (begin, begin + self.window)
        encoder = FeatureEncoder(self.schema, moment.table, self.ranker.feeds)
        snapshot = moment.snapshot(vectors, self.config.channel_size)
        new = new_shopper_samples(self.events, encoder, snapshot, self.tower, window, self.config, self.rng)
        return known if new is None else RankSamples.join([known, new])

    def _candidates(self, moment: Moment, vectors: Any, browsing: bool = False) -> RankSamples:
        """What would have been recalled at the moment, and what was taken in the window after it."""
        begin = moment.table.data_end
        end = begin + self.window
        encoder = FeatureEncoder(self.schema, moment.table, self.ranker.feeds)
        users = ranked_users(self.events, begin, end, self.config)
        user_vectors = encode_users(self.tower, self.events, encoder, users, begin)
        snapshot = moment.snapshot(vectors, self.config.channel_size)
        window = (begin, end)
        return rank_samples(
            self.events, encoder, snapshot, user_vectors, window, self.config, self.rng, browsing
        )

    def _done(self, stage: str, text: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(now - self._last, 1)
        self._last = now
        line = f"{now - self._began:6.1f} s  {stage:<13} {text}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def train(
    data: PreparedData,
    config: TrainConfig,
    artifacts: Path,
    *,
    resume: bool = True,
    console: Console | None = None,
) -> tuple[Path, bool]:
    """Train, validate and publish; returns the release's folder and whether it passed the gate: it beats
    popularity on the last window. What is served stays. Raises ReleaseError, ExportError, DataFault."""
    artifacts.mkdir(parents=True, exist_ok=True)
    with _alone(artifacts / f".training-{data.name}.lock"):
        seed_everything(config.seed)
        training = Training(data, config, artifacts, console or Console(stderr=True, quiet=True))
        if not resume:
            rmtree(training.kept.folder, ignore_errors=True)
        return training.run()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two runs on the same data would write each other's checkpoints: the second one is refused."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFault(f"{lock}: held by another training run on these data: wait for it") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _run_key(data: PreparedData, config: TrainConfig, fingerprint: str) -> str:
    """Tells runs apart whose checkpoints must not be mixed."""
    settings = f"{asdict(config)}{ranker_settings(config.rank)}"
    text = f"{settings}{fingerprint}{data.begin}{data.end}{len(data.events.at)}"
    return f"{data.name}-{sha256(text.encode()).hexdigest()[:12]}"


def _trend(losses: list[float]) -> str:
    return f"{losses[0]:.4f} → {losses[-1]:.4f}" if losses else "from the checkpoint"
