"""Training speed of DSSM and DeepFM against the same models written plainly in PyTorch, on the same batches.

    python -m bench.training_speed [--torch-python .venv-torch/bin/python] [--rounds 3] [--threads 2,1]

Each round trains some steps of every contender in a process of its own, one after the other, with the same
number of threads; medians over the rounds are printed, with their ratio. Paddle runs the product's own loop
(models/training/fitting.py), which sets up malloc and matrix kernels itself. PyTorch runs
bench/training_torch.py from the same first weights on the same batches, once as it comes and once with
glibc's malloc told to keep memory as the product's loop does ("memory kept"). Exits with 1 if the models are
not the same: other parameters, or a loss of the first batch (nothing dropped) that differs by more than 1e-4.
"CPU ms" is processor time of a step, all threads: on a busy machine it says more than the clock, with one
thread.

PyTorch is not part of the product's environment:

    .venv/bin/uv venv --python .venv/bin/python .venv-torch
    .venv/bin/uv pip install --torch-backend cpu --python .venv-torch/bin/python --group bench-torch
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from bench.report import machine, median, table
from bench.training_job import Job, Result
from bench.training_samples import prepare

PADDLE, TORCH, TORCH_KEPT = "Paddle, as make train", "PyTorch, plain", "PyTorch, memory kept"
_MODULE = {PADDLE: "bench.training_paddle", TORCH: "bench.training_torch", TORCH_KEPT: "bench.training_torch"}
_KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(2**26)}
_TOLERANCE = 1e-4


def train(contender: str, python: Path, job: Job) -> Result:
    """One contender in a process of its own. Raises SystemExit if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    environment |= {"OMP_NUM_THREADS": str(job.threads)} | (_KEEP if contender == TORCH_KEPT else {})
    command = [str(python), "-m", _MODULE[contender], json.dumps(asdict(job))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise SystemExit(f"{contender}: {lines[-1]}")
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def compare(job: Job, pythons: dict[str, Path], rounds: int) -> bool:
    """Print the table of one model and number of threads; returns whether the models are the same."""
    results: dict[str, list[Result]] = {name: [] for name in pythons}
    for turn in range(rounds):
        for name, python in pythons.items():
            print(
                f"{job.model}, {job.threads} threads, round {turn + 1}: {name}", file=sys.stderr, flush=True
            )
            results[name].append(train(name, python, job))
    speed = {name: job.batch / median(r.seconds for r in found) for name, found in results.items()}
    rows = []
    for name, found in results.items():
        each = sorted(job.batch / r.seconds for r in found)
        rows.append(
            (
                name,
                f"{speed[name]:,.0f}",
                f"{each[0]:,.0f} … {each[-1]:,.0f}",
                f"{speed[PADDLE] / speed[name]:.2f}",
                f"{median(r.cpu_seconds for r in found) * 1000:.1f}",
                f"{median(r.peak_mib for r in found):,.0f}",
                f"{found[0].first_loss:.5f}",
                f"{median(r.mean_loss for r in found):.4f}",
            )
        )
    title = f"{job.model}: threads {job.threads}, batch {job.batch}, steps {job.steps}, rounds {rounds}"
    columns = ("samples/s", "slowest … fastest", "Paddle is", "CPU ms", "peak MiB", "first loss", "mean loss")
    table(title, ("", *columns), rows)
    print(f"{results[PADDLE][0].parameters:,} parameters; peak memory includes the samples")
    firsts = [found[0] for found in results.values()]
    same = len({first.parameters for first in firsts}) == 1
    return same and max(abs(first.first_loss - firsts[0].first_loss) for first in firsts) <= _TOLERANCE


def main() -> int:
    """Print the tables; returns 0, or 1 if the contenders did not train the same model."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.training_speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=Path, default=Path("data/prepared/completejourney"))
    parser.add_argument(
        "--torch-python", type=Path, default=Path(".venv-torch/bin/python"), help="has PyTorch"
    )
    parser.add_argument("--models", default="dssm,deepfm", help="some of them (%(default)s)")
    parser.add_argument("--threads", default="2,1", help="one table each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="%(default)s")
    parser.add_argument("--steps", type=int, default=70, help="of each round (%(default)s)")
    parser.add_argument("--warm-up", type=int, default=10, help="of them not timed (%(default)s)")
    options = parser.parse_args()
    if not options.torch_python.exists():
        print(
            f"{options.torch_python}: not found: make it as the head of bench/training_speed.py says, "
            "or give --torch-python",
            file=sys.stderr,
        )
        return 1
    if not (options.data / "dataset.toml").exists():
        print(
            f"{options.data}: no prepared data: say python -m data.prepare completejourney", file=sys.stderr
        )
        return 1
    pythons = {PADDLE: Path(sys.executable), TORCH: options.torch_python, TORCH_KEPT: options.torch_python}
    print(machine())
    same = True
    with tempfile.TemporaryDirectory() as folder:
        jobs = prepare(options.data, Path(folder), options.steps, options.warm_up)
        for name in options.models.split(","):
            for threads in options.threads.split(","):
                same &= compare(replace(jobs[name], threads=int(threads)), pythons, options.rounds)
    print("same parameters and first loss:", "yes" if same else "NO")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
