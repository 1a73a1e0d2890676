"""What a recommendation costs, as ratios to the floor, in one run on one machine.

    make up && python -m bench.latency [--users 60] [--rounds 5] [--seconds 8] [--draw docs/img/latency.svg]

Protocol: the running system's release, `--users` shoppers drawn with a seed, 200 candidates, 20 items a page.

* One client: in each round every shopper is asked for once by every way, one way right after the other, so
  that the machine's moods hit all alike. Ways: the floor on ready arrays; the floor with features; the five
  services' logic in this process; `Recommend` over gRPC. The last two with PaddleServing and with ONNX.
  p50, p95 and p99 are over all answers; ratios are of the p50.
* Saturated: `--clients` client processes for `--seconds`, three rounds, median; the floor with one process a
  core. Clients share the processors with the services.
* BLAS has one thread, as in the services: with more, searching on busy cores waits for the others (ADR 0052).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when numpy is imported

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import grpc
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs

from bench import floor, report
from bench.draw import draw_latency
from bench.latency_series import Series, show, stages
from clients.python.credentials import with_token
from engine.features import UserContext
from engine.release import Release, current
from engine.types import RecommendQuery
from services import bootstrap
from services.common import log
from services.running import OtherCopyError, running_settings
from services.settings import Settings

CANDIDATES, PAGE = 200, 20
ONNX_OFFSET = 700  # of the ports of the second rank and recommend services, which use ONNX Runtime
Way = Callable[[UserContext], dict[str, float] | None]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.latency", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--users", type=int, default=60, help="shoppers asked for (default %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="rounds over all shoppers (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=8, help="length of a saturated round (default %(default)s)"
    )
    parser.add_argument(
        "--clients", type=int, default=4, help="client processes when saturated (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7, help="draws the shoppers (default %(default)s)")
    parser.add_argument("--draw", type=Path, help="write the picture here (SVG)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(argv)
    try:
        settings = running_settings()
    except OtherCopyError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    log.configure("ERROR", "console", service="bench")
    name = current(settings.artifacts_dir)
    if name is None or not _answers(settings.address("recommend")):
        sys.stderr.write("error: the system is not running here: say make up first\n")
        return 2
    release = Release.load(settings.artifacts_dir / name, verify=False)
    shape = f"{len(release.items.ids):,} items × {release.vectors.shape[1]}"
    print(f"{report.machine()}; {name}: {shape}; seed {options.seed}")
    with second_route(settings) as onnx_address:
        contexts = shoppers(settings, options.users, options.seed)
        single = one_client(settings, release, contexts, onnx_address, options.rounds)
        saturated = saturate(settings, release, contexts, onnx_address, options)
    show(single, saturated)
    if options.draw:
        draw_latency(options.draw, {way: series.seconds for way, series in single.items()}, stages(single))
    if options.json:
        figures = {way: report.percentiles(series.seconds) for way, series in single.items()}
        options.json.write_text(
            json.dumps({"one_client_ms": figures, "saturated_per_s": saturated}, indent=1) + "\n"
        )
    return 0


def shoppers(settings: Settings, count: int, seed: int) -> list[UserContext]:
    """Contexts of known shoppers, drawn from the first thousand stored."""
    users = bootstrap.user_service(settings)
    ids: list[str] = []
    token = ""
    while len(ids) < 1_000:
        page, token = users.list_users(100, token, 5.0)
        ids += [user.user_id for user in page]
        if not token:
            break
    drawn = random.Random(seed).sample(ids, min(count, len(ids)))
    return [users.get_user_context(user_id, 1_000, 5.0).context for user_id in drawn]


def one_client(
    settings: Settings, release: Release, contexts: list[UserContext], onnx_address: str, rounds: int
) -> dict[str, Series]:
    """Every way for every shopper in turn; the first round warms up and is not counted."""
    base = floor.Floor(release, CANDIDATES)
    prepared = {context.user_id: base.prepare(context) for context in contexts}
    with (
        in_process(settings, settings.predictor()) as serving_here,
        in_process(settings, "onnx://") as onnx_here,
        over_grpc(settings.address("recommend")) as serving_there,
        over_grpc(onnx_address) as onnx_there,
    ):
        ways: dict[str, Way] = {
            "floor": lambda context: _nothing(base.run(prepared[context.user_id])),
            "floor with features": lambda context: _nothing(base.run_encoding(context)),
            "in process, ONNX": onnx_here,
            "in process, PaddleServing": serving_here,
            "gRPC, ONNX": onnx_there,
            "gRPC, PaddleServing": serving_there,
        }
        results = {name: Series() for name in ways}
        for number in range(rounds + 1):
            for context in contexts:
                for name, ask in ways.items():
                    started = time.perf_counter()
                    told = ask(context)
                    if number:
                        results[name].add(time.perf_counter() - started, told)
    return results


@contextmanager
def in_process(settings: Settings, predictor: str) -> Iterator[Way]:
    """The five services' logic in this process."""
    own = settings.model_copy(update={"rank_predictor": predictor, "deadline_ms": 5_000})
    recall, rank = bootstrap.recall_part(own), bootstrap.rank_part(own)
    whole = bootstrap.recommend_part(
        own, bootstrap.user_service(own), bootstrap.item_service(own), recall.service, rank.service
    )

    def ask(context: UserContext) -> dict[str, float]:
        query = RecommendQuery(user_id=context.user_id, page_size=PAGE, candidate_count=CANDIDATES)
        answer = whole.service.recommend(query, 5.0)
        return {**answer.timings_ms, "degraded": float(bool(answer.degraded))}

    try:
        yield ask
    finally:
        for part in (whole, rank, recall):
            part.close()


@contextmanager
def over_grpc(address: str) -> Iterator[Way]:
    """`Recommend` at an address, by the generated stub."""
    with grpc.insecure_channel(address) as channel:
        stub = stubs.RecommendServiceStub(with_token(channel, _token()))

        def ask(context: UserContext) -> dict[str, float]:
            request = pb.RecommendRequest(user_id=context.user_id, page_size=PAGE, candidate_count=CANDIDATES)
            answer = stub.Recommend(request, timeout=5)
            timings = {timing.stage: timing.milliseconds for timing in answer.timings}
            return {**timings, "degraded": float(bool(answer.degraded))}

        yield ask


@contextmanager
def second_route(settings: Settings) -> Iterator[str]:
    """A second rank (ONNX Runtime) and recommend beside the running ones; the address of the latter."""
    rank, recommend = (settings.port(name) + ONNX_OFFSET for name in ("rank", "recommend"))
    environment = {
        **os.environ,
        "ECRS_RANK_PREDICTOR": "onnx://",
        "ECRS_RANK_ADDRESS": f"127.0.0.1:{rank}",
        "ECRS_LOG_LEVEL": "ERROR",
    }
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", f"services.{name}", "--port", str(port)],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for name, port in (("rank", rank), ("recommend", recommend))
    ]
    try:
        deadline = time.monotonic() + 60
        while not (_answers(f"127.0.0.1:{recommend}") and _answers(f"127.0.0.1:{rank}")):
            if time.monotonic() > deadline or any(program.poll() is not None for program in programs):
                raise SystemExit("error: the second rank and recommend services did not start")
            time.sleep(0.2)
        yield f"127.0.0.1:{recommend}"
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(20)


def saturate(
    settings: Settings,
    release: Release,
    contexts: list[UserContext],
    onnx_address: str,
    options: argparse.Namespace,
) -> dict[str, float]:
    """Answers per second: the floor with a process a core, `Recommend` by both routes; medians of three."""
    cores = len(os.sched_getaffinity(0))
    addresses = {"gRPC, ONNX": onnx_address, "gRPC, PaddleServing": settings.address("recommend")}
    ids = [context.user_id for context in contexts]
    rounds: dict[str, list[float]] = {"floor": [], **{name: [] for name in addresses}}
    with ProcessPoolExecutor(max(cores, options.clients), mp_context=get_context("spawn")) as pool:
        for _ in range(3):
            runs = [
                pool.submit(floor.saturate, str(release.path), contexts, CANDIDATES, options.seconds)
                for _ in range(cores)
            ]
            rounds["floor"].append(sum(run.result() for run in runs) / options.seconds)
            for name, address in addresses.items():
                runs = [
                    pool.submit(ask_for, address, ids, options.seconds, number)
                    for number in range(options.clients)
                ]
                rounds[name].append(sum(run.result() for run in runs) / options.seconds)
    return {name: report.median(values) for name, values in rounds.items()}


def ask_for(address: str, user_ids: list[str], seconds: float, seed: int) -> int:
    """Ask `Recommend` one after the other for so long; returns the answers that were not degraded."""
    order = random.Random(seed)
    with grpc.insecure_channel(address) as channel:
        stub = stubs.RecommendServiceStub(with_token(channel, _token()))
        stub.Recommend(pb.RecommendRequest(user_id=user_ids[0]), timeout=5)
        answers, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            request = pb.RecommendRequest(
                user_id=order.choice(user_ids), page_size=PAGE, candidate_count=CANDIDATES
            )
            answers += not stub.Recommend(request, timeout=5).degraded
    return answers


def _token() -> str:
    return Settings().service_token.get_secret_value()


def _nothing(_: object) -> None:
    return None


def _answers(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=1)
        except grpc.FutureTimeoutError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
