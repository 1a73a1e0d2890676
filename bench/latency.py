"""What a recommendation costs, as ratios to the floor, in one run on one machine.

    make up && python -m bench.latency [--users 60] [--rounds 5] [--seconds 8] [--draw docs/img/latency.svg]

Protocol: the running system's release, `--users` shoppers drawn with a seed, 200 candidates, 20 items a page.
The shop that runs from the state folder is found by itself: its ports, topology, index and predictor.

* One client: in each round every shopper is asked for once by every way, one way right after the other, so
  that the machine's moods hit all alike. Ways: the floor on ready arrays, as is and with the kernels; the
  floor with features; the five services' logic in this process; `Recommend` over gRPC, by the shop as it
  runs. Where it runs PaddleServing, a second rank and recommend with ONNX Runtime are asked too.
  p10, p50 and p99 are over all answers; ratios are of the p50.
* Saturated: `--clients` client processes for `--seconds`, three rounds, median; the floor with one process a
  core. Clients share the processors with the services. Meanwhile the processor time of each part is read from
  /proc.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import grpc
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs

from bench import cpu, floor, report
from bench.latency_series import Saturated, Series, show, stages
from clients.python.credentials import with_token
from engine.features import UserContext
from engine.release import Release, current
from engine.types import RecommendQuery
from scripts.supervision.parts import parts
from scripts.supervision.supervisor import Supervisor
from services import bootstrap
from services.common import log
from services.running import PLACES, OtherCopyError, running_settings
from services.settings import Settings

CANDIDATES, PAGE = 200, 20
ONNX_OFFSET = 700  # of the ports of the second rank and recommend services, which use ONNX Runtime
START_S = 90.0  # that a second service may take: kernels are compiled where they never were
UNASKED = frozenset({"nginx", "web1", "web2"})
"""Parts that `Recommend` over gRPC does not pass through."""
Way = Callable[[UserContext], dict[str, float] | None]


@dataclass(frozen=True)
class Route:
    """A recommend service, and the processes that work for it by part."""

    name: str
    address: str
    pids: Mapping[str, Sequence[int]]


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
    print(f"the shop: {settings.topology}, {_index(settings)}, {_predictor(settings)}")
    with second_route(settings) as second:
        contexts = shoppers(settings, options.users, options.seed)
        routes = [Route(f"gRPC, {_predictor(settings)}", settings.address("recommend"), running(settings))]
        routes += second
        single = one_client(settings, release, contexts, routes, options.rounds)
        saturated = saturate(release, contexts, routes, options)
    show(single, saturated)
    if options.draw:
        from bench.draw import draw_latency  # noqa: PLC0415 - matplotlib is for developers

        draw_latency(options.draw, {way: series.seconds for way, series in single.items()}, stages(single))
    if options.json:
        figures = {way: report.percentiles(series.seconds) for way, series in single.items()}
        rates = {way: asdict(one) for way, one in saturated.items()}
        shop = {"topology": settings.topology, "index": _index(settings), "predictor": _predictor(settings)}
        content = {"shop": shop, "one_client_ms": figures, "saturated": rates}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
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
    settings: Settings, release: Release, contexts: list[UserContext], routes: Sequence[Route], rounds: int
) -> dict[str, Series]:
    """Every way for every shopper in turn; the first round warms up and is not counted."""
    base = floor.Floor(release, CANDIDATES)
    prepared = {context.user_id: base.prepare(context) for context in contexts}
    ways: dict[str, Way] = {"floor": lambda context: _nothing(base.run(prepared[context.user_id]))}
    if floor.has_folded(release):
        folded = floor.Floor(release, CANDIDATES, folded=True)
        ways["floor, kernels"] = lambda context: _nothing(folded.run(prepared[context.user_id]))
        ways["floor, kernels and features"] = lambda context: _nothing(folded.run_encoding(context))
    else:
        ways["floor and features"] = lambda context: _nothing(base.run_encoding(context))
    with ExitStack() as stack:
        for predictor in dict.fromkeys(("onnx://", settings.predictor())):
            name = f"in process, {_predictor_name(predictor)}"
            ways[name] = stack.enter_context(in_process(settings, predictor))
        for route in routes:
            ways[route.name] = stack.enter_context(over_grpc(route.address))
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
def second_route(settings: Settings) -> Iterator[list[Route]]:
    """A second rank (ONNX Runtime) and recommend beside the running ones; none where those use it already."""
    if settings.predictor() == "onnx://":
        yield []
        return
    ports = {name: settings.port(name) + ONNX_OFFSET for name in ("rank", "recommend")}
    environment = {
        **os.environ,
        **as_environment(settings),
        "ECRS_TOPOLOGY": "separate",
        "ECRS_RANK_PREDICTOR": "onnx://",
        "ECRS_RANK_ADDRESS": f"127.0.0.1:{ports['rank']}",
        "ECRS_LOG_LEVEL": "ERROR",
    }
    programs = {
        name: subprocess.Popen(
            [sys.executable, "-m", f"services.{name}", "--port", str(port)],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for name, port in ports.items()
    }
    try:
        deadline = time.monotonic() + START_S
        while not all(_answers(f"127.0.0.1:{port}") for port in ports.values()):
            if time.monotonic() > deadline or any(one.poll() is not None for one in programs.values()):
                raise SystemExit("error: the second rank and recommend services did not start")
            time.sleep(0.2)
        pids = {**running(settings), **{name: [one.pid] for name, one in programs.items()}}
        yield [Route("gRPC, ONNX", f"127.0.0.1:{ports['recommend']}", pids)]
    finally:
        for one in programs.values():
            one.terminate()
        for one in programs.values():
            one.wait(20)


def as_environment(settings: Settings) -> dict[str, str]:
    """The places of the running copy, for a program that is to belong to it."""
    found = {f"ECRS_{name.upper()}": str(getattr(settings, name)) for name in (*PLACES, "state_dir")}
    return {name: value for name, value in found.items() if value}


def running(settings: Settings) -> dict[str, list[int]]:
    """The processes of the running parts that a recommendation uses, by part."""
    processes = Supervisor(settings.state_dir).processes()
    wanted = {part.within or part.name for part in parts(settings, settings.artifacts_dir)}
    return {name: [one.pid] for name, one in processes.items() if name in wanted - UNASKED and one.pid}


def saturate(
    release: Release, contexts: list[UserContext], routes: Sequence[Route], options: argparse.Namespace
) -> dict[str, Saturated]:
    """Answers per second and their processor time: the floor with a process a core, `Recommend` by every
    route; medians of three rounds."""
    cores = len(os.sched_getaffinity(0))
    ids = [context.user_id for context in contexts]
    floors = {"floor": False, **({"floor, kernels": True} if floor.has_folded(release) else {})}
    rounds: dict[str, list[Saturated]] = {name: [] for name in (*floors, *(one.name for one in routes))}
    with ProcessPoolExecutor(max(cores, options.clients), mp_context=get_context("spawn")) as pool:
        for _ in range(3):
            for name, folded in floors.items():
                shared = (str(release.path), contexts, CANDIDATES, options.seconds, folded)
                runs = [pool.submit(floor.saturate, *shared) for _ in range(cores)]
                count = sum(run.result()[0] for run in runs)
                took = sum(run.result()[1] for run in runs)
                rounds[name].append(Saturated(count / options.seconds, {"floor": took / max(count, 1) * 1e3}))
            for route in routes:
                before = cpu.seconds(route.pids)
                asked = [
                    pool.submit(ask_for, route.address, ids, options.seconds, number)
                    for number in range(options.clients)
                ]
                count = sum(run.result() for run in asked)
                after = cpu.seconds(route.pids)
                used = {name: (after[name] - before[name]) / max(count, 1) * 1e3 for name in route.pids}
                rounds[route.name].append(Saturated(count / options.seconds, used))
    return {name: Saturated.median(values) for name, values in rounds.items()}


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


def _predictor_name(url: str) -> str:
    return "ONNX" if url == "onnx://" else "PaddleServing"


def _predictor(settings: Settings) -> str:
    return _predictor_name(settings.predictor())


def _index(settings: Settings) -> str:
    return "Milvus" if settings.milvus() else "exact search"


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
