"""An example shop opened from its files by the guide's commands, and what its lists are measured by."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet as pq
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs

from services.settings import PORTS, ROOT
from tests.support.shop import Shop, undegraded

Record = dict[str, Any]


@dataclass
class ExampleShop:
    """A running example: its tables as prepared, and its list service."""

    prepared: Path
    shop: Shop
    stub: Any

    @cached_property
    def items(self) -> dict[str, Record]:
        """Each item's row, by id."""
        rows = pq.read_table(self.prepared / "items.parquet").to_pylist()
        return {row["item_id"]: row for row in rows}

    @cached_property
    def sales(self) -> Counter[str]:
        """How often each item was had in the last four weeks of the data."""
        events = pq.read_table(self.prepared / "events.parquet", columns=["item_id", "at"]).to_pylist()
        begin = events[-1]["at"] - timedelta(days=28)
        return Counter(event["item_id"] for event in events if event["at"] > begin)

    @cached_property
    def histories(self) -> dict[str, Counter[str]]:
        """How often each shopper had each item."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        events = pq.read_table(self.prepared / "events.parquet", columns=["user_id", "item_id"])
        for user, item in zip(*(column.to_pylist() for column in events.columns), strict=True):
            found[user][item] += 1
        return found

    @cached_property
    def shoppers(self) -> list[str]:
        """Twenty shoppers of more than ten events, from all over the file."""
        regular = sorted(user for user, had in self.histories.items() if had.total() > 10)
        return regular[:: len(regular) // 20][:20]

    def recommend(self, user_id: str = "nobody-yet", size: int = 10) -> pb.RecommendResponse:
        """A page of recommendations."""
        query = pb.RecommendRequest(user_id=user_id, page_size=size)
        answer: pb.RecommendResponse = undegraded(lambda: self.stub.Recommend(query, timeout=10))
        return answer

    def similar(self, item_id: str, size: int = 8) -> list[str]:
        """Items like this one."""
        query = pb.SimilarItemsRequest(item_id=item_id, page_size=size)
        answer = undegraded(lambda: self.stub.SimilarItems(query, timeout=10))
        return [item.item_id for item in answer.items]


@contextmanager
def open_example(name: str, dataset: str, folder: Path) -> Iterator[ExampleShop]:
    """From the example's files to an open shop: made, prepared, trained, opened; closed at the end."""
    run("data.examples", name, folder / "files")
    run("data.prepare", "mapping", "--mapping", folder / "files" / "shop.toml", "--out", folder / "prepared")
    prepared = folder / "prepared" / dataset
    run("models.train", "--data", prepared, "--config", "quick", "--out", folder / "releases")
    with Shop(folder, dataset).running() as shop:
        address = f"127.0.0.1:{PORTS['recommend'] + shop.offset}"
        with grpc.insecure_channel(address) as channel:
            yield ExampleShop(prepared, shop, stubs.RecommendServiceStub(channel))


def run(module: str, *arguments: str | Path) -> None:
    """A command of the guide, which must succeed."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, f"{module}\n{done.stdout}\n{done.stderr}"
