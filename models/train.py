"""Train on a prepared dataset and publish a release.

    python -m models.train --data data/prepared/completejourney --config quick

The last window of the data is predicted from what came before it (validation, and the gate), then both models go
on learning from that window too, and the release is written. Time never runs backwards: towers are trained on
events before every window that ranker samples come from, and each sample sees only what was known then.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, replace
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

import numpy as np
from rich.console import Console

from models import validation
from models.catalogue import build_schema, purchases_before, select_items
from models.config import CONFIGS, TrainConfig
from models.dataset import CatalogueEvents, DataFault, PreparedData, load_prepared
from models.evaluate import platt
from models.features import DAY_MS, FeatureEncoder, ItemTable
from models.fitting import Checkpoints, fit, rank_batches, rank_logits, tower_batches
from models.moment import Moment, encode_items, encode_users, look
from models.publish import Trained, publish
from models.registry import make_ranker, make_tower
from models.release import ARTIFACTS, ReleaseError, set_current
from models.samples import RankSamples, active_users, rank_samples, tower_samples


def train(
    data: PreparedData,
    config: TrainConfig,
    artifacts: Path,
    *,
    resume: bool = True,
    console: Console | None = None,
) -> tuple[Path, bool]:
    """Train, validate and publish; returns the release's folder and whether it passed the gate (and so became
    current). Raises ReleaseError, ExportError, DataFault."""
    console = console or Console(stderr=True, quiet=True)
    began = time.monotonic()
    seconds: dict[str, float] = {}

    def stage(name: str) -> None:
        seconds[name] = round(time.monotonic() - began - sum(seconds.values()), 1)
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {name}")

    chosen = select_items(data, config.catalogue)
    records = [data.records[index] for index in chosen.tolist()]
    schema = build_schema(data, records, config)
    base = ItemTable.from_records(schema, records, data.end)
    row = np.full(len(data.item_ids) + 1, -1, np.int64)
    row[chosen] = np.arange(len(chosen))
    events = CatalogueEvents(data, row[data.events.item])
    kept = Checkpoints(artifacts / f".checkpoints-{_run_key(data, config, schema.fingerprint())}")
    if not resume:
        rmtree(kept.folder, ignore_errors=True)
    window = int(min(config.window_days * DAY_MS, (data.end - data.begin) / 6))
    validate_from = data.end - window
    cutoffs = [validate_from - (k + 1) * window for k in range(config.rank.cutoffs)]
    tower_until = min(cutoffs)
    if tower_until <= data.begin:
        raise DataFault(f"{data.name}: {len(cutoffs)} windows do not fit into the data: use fewer cutoffs")
    rng = np.random.default_rng(config.seed)
    stage(f"data: {len(data.user_ids):,} users, {len(records):,} items, {len(data.events.at):,} events")

    moments = {
        at: look(base, purchases_before(events, len(base), at), config) for at in (*cutoffs, validate_from)
    }
    stage("item statistics and neighbours")

    tower = make_tower(schema, config.tower)
    encoder = FeatureEncoder(schema, moments[tower_until].table)
    samples = tower_samples(events, encoder, data.begin, tower_until, config, rng)
    losses = fit(
        "tower", tower, config.tower.epochs, config.tower.learning_rate, 1e-5,
        tower_batches(tower, samples, encoder, config.tower), config.seed, kept,
    )  # fmt: skip
    stage(f"towers: {len(samples.positives):,} contexts, loss {_trend(losses)}")

    vectors = encode_items(tower, base)

    def candidates(moment: Moment) -> RankSamples:
        at = moment.table.data_end
        users = active_users(events, at, at + window)
        seen = FeatureEncoder(schema, moment.table)
        user_vectors = encode_users(tower, events, seen, users, at)
        return rank_samples(
            events,
            seen,
            moment.recaller(vectors, config.recall),
            user_vectors,
            (at, at + window),
            config,
            rng,
        )

    learn = RankSamples.join([candidates(moments[at]) for at in cutoffs])
    check = candidates(moments[validate_from])
    stage(f"ranker samples: {len(learn.label):,} rows, {learn.label.mean():.1%} taken")

    ranker = make_ranker(schema, config.rank)
    ranker.see(learn.dense)
    losses = fit(
        "ranker", ranker, config.rank.epochs, config.rank.learning_rate, config.rank.weight_decay,
        rank_batches(ranker, learn, config.rank), config.seed, kept,
    )  # fmt: skip
    stage(f"ranker, loss {_trend(losses)}")

    logits = rank_logits(ranker, check)
    calibration = platt(logits, check.label)
    metrics = validation.measure(events, moments[validate_from], check, logits, window)
    passed = metrics["pipeline"]["ndcg_at_20"] > metrics["popularity"]["ndcg_at_20"]
    stage(f"validation: {validation.summary(metrics)}")

    final = look(base, purchases_before(events, len(base), data.end), config)
    encoder = FeatureEncoder(schema, final.table)
    samples = tower_samples(events, encoder, tower_until, data.end, config, rng)
    fit(
        "tower-refit", tower, config.tower.refit_epochs, config.tower.learning_rate / 2, 1e-5,
        tower_batches(tower, samples, encoder, config.tower), config.seed + 1, kept,
    )  # fmt: skip
    fit(
        "ranker-refit", ranker, config.rank.refit_epochs, config.rank.learning_rate / 2, config.rank.weight_decay,
        rank_batches(ranker, check, config.rank), config.seed + 1, kept,
    )  # fmt: skip
    stage("refit on the newest window")

    trained = Trained(data, config, schema, records, final, events, tower, ranker, calibration)
    folder = publish(trained, check, {**metrics, "gate_passed": passed, "seconds": seconds}, artifacts)
    if passed:
        set_current(folder.name, artifacts)
    rmtree(kept.folder, ignore_errors=True)
    stage(
        f"published {folder.name}" + ("" if passed else ", NOT current: it ranks no better than popularity")
    )
    return folder, passed


def _run_key(data: PreparedData, config: TrainConfig, fingerprint: str) -> str:
    """Tells runs apart whose checkpoints must not be mixed."""
    text = f"{asdict(config)}{fingerprint}{data.begin}{data.end}{len(data.events.at)}"
    return f"{data.name}-{sha256(text.encode()).hexdigest()[:12]}"


def _trend(losses: list[float]) -> str:
    return f"{losses[0]:.4f} → {losses[-1]:.4f}" if losses else "from the checkpoint"


def _date(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2017-12-04") from None


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status: 0 published, 1 not, 3 published but not good enough."""
    parser = argparse.ArgumentParser(
        prog="python -m models.train", description="Train and publish a release."
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder data/prepared/<dataset>")
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick")
    parser.add_argument("--out", type=Path, default=ARTIFACTS, help="where releases are kept")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--until", type=_date, help="leave out events from this date on (to test on them)")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on where an interrupted run was",
    )
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        data = load_prepared(options.data, options.until)
        config = replace(CONFIGS[options.config], seed=options.seed)
        _, passed = train(data, config, options.out, resume=options.resume, console=console)
    except (DataFault, ReleaseError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted: the same command goes on from the last checkpoint")
        return 130
    return 0 if passed else 3


if __name__ == "__main__":
    sys.exit(main())
