"""A generated set of sparse histories: shoppers with few events each, and items that belong together.

What is drawn, all from one seed:

* clusters of items, several to a department; sizes and the items' popularity are skewed (Zipf);
* of each item a few successors, most of its own cluster, else of its department: what is taken after it;
* of each shopper a first and a second cluster, mostly of one department, and then event by event: a successor
  of the newest item, a successor of an older one, an item of one of the shopper's clusters, or any item at
  all.

Nobody takes an item twice. The shares are set so that ItemKNN finds about as much as on published sets of
this size (N@10 .04); no tower was looked at for it. Legend: U users, L events of each, N items, C clusters.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from models.evaluation.errors import ProtocolError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SparseConfig:
    """Every number of the generated set."""

    users: int = 20_000
    events: int = 9  # of each user
    items: int = 12_000
    clusters: int = 120
    departments: int = 20
    successors: int = 6  # of each item
    after_newest: float = 0.09  # share of events that follow the newest item
    after_older: float = 0.05  # … any item taken before
    from_taste: float = 0.38  # … popular in one of the user's clusters; the rest: popular anywhere
    skew: float = 0.7  # Zipf's exponent of popularity


def generate(config: SparseConfig, seed: int) -> IntArray:
    """Rows of items in the order taken, int64 [U, L]; equal seeds, equal sets."""
    rng = np.random.default_rng(seed)
    world = _World.draw(config, rng)
    first = rng.choice(config.clusters, config.users, p=_zipf(config.clusters, 0.6))
    near = world.department_members(first, rng)
    second = np.where(rng.random(config.users) < 0.7, near, rng.integers(0, config.clusters, config.users))
    tastes = np.stack([first, second], axis=1)
    taken = np.full((config.users, config.events), -1, np.int64)
    for step in range(config.events):
        waiting = np.arange(config.users)
        while len(waiting):  # an item taken before is drawn again
            drawn = world.step(taken[waiting], tastes[waiting], step, rng)
            fresh = ~(taken[waiting] == drawn[:, None]).any(axis=1)
            taken[waiting[fresh], step] = drawn[fresh]
            waiting = waiting[~fresh]
    return taken


@dataclass(frozen=True)
class _World:
    config: SparseConfig
    cluster: IntArray  # [N], ascending
    begin: IntArray  # [C + 1], the items of cluster c are begin[c] : begin[c + 1]
    mass: npt.NDArray[np.float64]  # [N + 1], popularity summed up to the item
    followers: IntArray  # [N, successors]

    @classmethod
    def draw(cls, config: SparseConfig, rng: np.random.Generator) -> _World:
        share = rng.permutation(_zipf(config.clusters, 0.5))
        extra = rng.multinomial(config.items - 2 * config.clusters, share)
        begin = np.concatenate([[0], np.cumsum(extra + 2)])  # two items at least
        cluster = np.repeat(np.arange(config.clusters), np.diff(begin))
        popularity = rng.permutation(_zipf(config.items, config.skew))
        mass = np.concatenate([[0.0], np.cumsum(popularity)])
        world = cls(config, cluster, begin, mass, np.zeros((config.items, 0), np.int64))
        columns = []
        for _ in range(config.successors):
            other = world.department_members(cluster, rng)
            of = np.where(rng.random(config.items) < 0.7, cluster, other)
            columns.append(world.popular_in(of, rng))
        return cls(config, cluster, begin, mass, np.stack(columns, axis=1))

    def department_members(self, cluster: IntArray, rng: np.random.Generator) -> IntArray:
        """A cluster of the same department for each."""
        departments = self.config.departments
        steps = rng.integers(0, self.config.clusters // departments, len(cluster))
        return (cluster % departments + steps * departments).astype(np.int64)

    def popular_in(self, cluster: IntArray, rng: np.random.Generator) -> IntArray:
        """An item of each cluster, by popularity."""
        low, high = self.mass[self.begin[cluster]], self.mass[self.begin[cluster + 1]]
        found = np.searchsorted(self.mass, low + rng.random(len(cluster)) * (high - low), side="right") - 1
        return np.clip(found, self.begin[cluster], self.begin[cluster + 1] - 1).astype(np.int64)

    def step(self, taken: IntArray, tastes: IntArray, step: int, rng: np.random.Generator) -> IntArray:
        """The next item of each user, int64 [B]; ``taken`` [B, L] holds ``step`` items."""
        config, count = self.config, len(taken)
        line = np.arange(count)
        mine = self.popular_in(tastes[line, (rng.random(count) < 0.35).astype(np.int64)], rng)
        anything = np.searchsorted(self.mass, rng.random(count) * self.mass[-1], side="right") - 1
        limits = np.cumsum([config.after_newest, config.after_older, config.from_taste])
        kind = np.searchsorted(limits, rng.random(count), side="right")
        if not step:
            return np.where(kind < 3, mine, anything).astype(np.int64)
        # The first successors of an item are the usual ones.
        which = np.minimum(rng.geometric(0.35, count) - 1, config.successors - 1)
        newest = self.followers[taken[:, step - 1], which]
        older = self.followers[taken[line, rng.integers(0, step, count)], which]
        return np.choose(kind, [newest, older, mine, anything]).astype(np.int64)


def _zipf(count: int, exponent: float) -> npt.NDArray[np.float64]:
    weight = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    found: npt.NDArray[np.float64] = weight / weight.sum()
    return found


def write(taken: IntArray, file: Path) -> None:
    """``user item`` a line, each user's lines in the order taken: what ``sasrec-loo --path`` reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    user = np.repeat(np.arange(1, len(taken) + 1), taken.shape[1])
    np.savetxt(file, np.stack([user, taken.ravel() + 1], axis=1), fmt="%d")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``sparse-set``."""
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--users", type=int, default=SparseConfig.users)
    parser.add_argument("--items", type=int, default=SparseConfig.items)


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the set; raises ProtocolError if there are too few items for its clusters."""
    config = SparseConfig(users=options.users, items=options.items)
    if config.users < 1 or config.items < 3 * config.clusters:
        raise ProtocolError(f"--users must be 1 or more and --items {3 * config.clusters} or more")
    taken = generate(config, options.seed)
    write(taken, options.out)
    console.print(f"{options.out}: {taken.size:,} events of {len(taken):,} users, seed {options.seed}")
    return 0
