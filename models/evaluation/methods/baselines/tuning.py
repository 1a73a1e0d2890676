"""Settings of a baseline, chosen on what lies before the test: stage by stage over a small grid.

A stage tries every combination of the values of its settings, the others as they stand, and keeps the best.
The number of fits is known beforehand, and equal data and seeds give equal choices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from tqdm import tqdm

Settings = dict[str, Any]
Stage = Mapping[str, Sequence[Any]]  # a setting's values


@dataclass(frozen=True)
class Grid:
    """Where to begin, and what to try in which order."""

    begin: Settings
    stages: Sequence[Stage]


@dataclass
class Chosen:
    """The best settings, and the value of all that were tried."""

    settings: Settings
    tried: list[tuple[Settings, float]] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Of the best."""
        return max(value for _, value in self.tried)


def choose(name: str, grid: Grid, value_of: Callable[[Settings], float], console: Console) -> Chosen:
    """The settings with the highest value; of equal ones the first. ``value_of`` fits and measures."""
    chosen = Chosen(dict(grid.begin))
    best = float("-inf")
    for number, stage in enumerate(grid.stages, 1):
        combinations = [
            dict(zip(stage, values, strict=True)) for values in itertools.product(*stage.values())
        ]
        base = dict(chosen.settings)
        label = f"{name}: settings {number}/{len(grid.stages)}"
        for part in tqdm(combinations, label, unit="fit", disable=None, leave=False):
            settings = {**base, **part}
            if any(settings == before for before, _ in chosen.tried):
                continue
            value = value_of(settings)
            chosen.tried.append((settings, value))
            if value > best:
                best, chosen.settings = value, settings
    told = ", ".join(f"{key} {value}" for key, value in chosen.settings.items())
    console.print(
        f"{name}: {told} (validation {best:.4f}, {len(chosen.tried)} tried)",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return chosen
