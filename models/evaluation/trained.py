"""The release of a protocol's training window: found where it was trained before, else trained."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

from rich.console import Console

import models
from engine.release import list_releases
from models.evaluation.errors import ProtocolError
from models.evaluation.retail import RetailSplit
from models.training.config import CONFIGS, CatalogueConfig, TrainConfig
from models.training.dataset import PreparedData, load_prepared
from models.training.export import ExportError
from models.training.run import train

_EVERYTHING = 1_000_000
_ROOT = Path(models.__file__).parents[1]
_PACKAGES = ("engine", "models")


def train_release(split: RetailSplit, prepared: Path, config: str, seed: int, artifacts: Path) -> Path:
    """A release of the protocol's catalogue, from events before its cut; returns its folder.

    Same data, configuration, seed and code: the release that is there already. An interrupted training goes
    on from its checkpoint.
    """
    data = load_prepared(prepared, split.cut)
    catalogue = CatalogueConfig(min_buyers=split.min_buyers, max_items=_EVERYTHING, keep_all_below=0)
    settings = replace(CONFIGS[config], seed=seed, catalogue=catalogue)
    home = artifacts / run_name(data, settings, code_digest())
    return train_once(data, settings, home, Console(stderr=True))


def train_once(data: PreparedData, settings: TrainConfig, home: Path, console: Console) -> Path:
    """The newest release in the folder ``home``, trained there if there is none. Raises ProtocolError."""
    if there := list_releases(home):
        found = home / there[0]
        console.print(f"uses {found}, trained before", markup=False, highlight=False, soft_wrap=True)
        return found
    try:
        return train(data, settings, home, console=console)[0]
    except ExportError as error:
        raise ProtocolError(f"{home}: the trained release is not to be measured: {error}") from error


def run_name(data: PreparedData, settings: TrainConfig, code: str) -> str:
    """``<dataset>-<configuration>-seed<seed>-<digest>``; whatever changes the release changes the digest."""
    text = f"{asdict(settings)}{data.toml_text}{data.begin}{data.end}{len(data.events.at)}{code}"
    digest = sha256(text.encode()).hexdigest()[:12]
    return f"{data.name}-{settings.name}-seed{settings.seed}-{digest}"


def code_digest(files: Iterable[Path] | None = None) -> str:
    """Of the sources that train: ``models/training/run.py`` and what of ECRS it imports, directly or not."""
    digest = sha256()
    for file in sorted(files or sources(_ROOT / "models" / "training" / "run.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def sources(entry: Path) -> set[Path]:
    """The files of ``engine`` and ``models`` that a module needs, itself among them."""
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            waiting += [path for name in names if (path := _file(name)) is not None]
    return found


def _file(module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] not in _PACKAGES:
        return None
    path = _ROOT.joinpath(*parts)
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
