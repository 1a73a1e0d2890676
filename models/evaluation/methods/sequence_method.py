"""The method ``sequence``: towers trained on the protocol's histories, asked as they would be served.

Several towers of seeds that follow each other are one wider tower (``ServedTower``). It is exported like a
release's (``models/training/export.py``); users are encoded by the ONNX file with ONNX Runtime and compared
with the unit vectors of the items by inner product.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from models.evaluation.errors import ProtocolError
from models.evaluation.methods.sequence import SequenceConfig, SequenceTower, ServedTower, served_items
from models.evaluation.methods.sequence_memory import SequenceWithMemory
from models.evaluation.methods.sequence_settings import TowerSetup
from models.evaluation.methods.sequence_training import BestWeights, encode_users, newest, train_tower
from models.evaluation.ranking import per_user, top_k
from models.evaluation.sequences import IntArray, LeaveOneOut, split
from models.training.export import ExportError, export_network, onnx_runner

_CHECKED = 2000  # validation users looked at while training
_CHECKED_TO_CHOOSE = 5000  # where they say which epoch is the best
_BLOCK = 1024


class SequenceMethod:
    """Trains what is not trained yet; ``scores`` is the inner product of unit vectors."""

    def __init__(
        self, config: SequenceConfig, members: int, content: bool, artifacts: Path, refit: bool = False
    ) -> None:
        """``refit``: some more epochs with the validation items, once everything is chosen."""
        self.config, self.members, self._content, self._artifacts = config, members, content, artifacts
        self._refit = refit
        self.folders: list[Path] = []
        self.best_epochs: list[int] = []  # of each member that ended by validation

    def fit(self, found: LeaveOneOut, seed: int, console: Console) -> None:
        """Train each member, export the whole, encode every user. Raises ProtocolError."""
        towers = [self._member(found, seed + number, console) for number in range(self.members)]
        self._items = served_items(towers)
        histories = [history + 1 for history in found.known]
        feeds = list(newest(histories, self.config.length, full=True))
        sample = np.concatenate([items[:1] for _, items in feeds])  # users of every length
        folder = self._artifacts / f"served-{'-'.join(f.name[-12:] for f in self.folders)}-seed{seed}"
        try:
            entry = export_network(ServedTower(towers), {"sequence_items": sample}, folder, "user_vector")
        except ExportError as error:
            raise ProtocolError(f"the exported tower is not to be measured: {error}") from error
        self.max_difference = entry["max_difference"]
        np.save(folder / "items.npy", self._items)
        run = onnx_runner(folder / "model.onnx")
        self._users = np.empty((len(histories), self._items.shape[1]), np.float32)
        for chosen, items in feeds:
            self._users[chosen] = run({"sequence_items": items})

    def scores(self, users: IntArray) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray(self._users[users] @ self._items.T)

    def _member(self, found: LeaveOneOut, seed: int, console: Console) -> SequenceTower:
        tower = self._trained(found, found.train, self.config, seed, console, None)
        if self._refit:
            more = replace(self.config, epochs=self.config.refit_epochs, learning_rate=self.config.refit_rate)
            tower = self._trained(found, found.known, more, seed, console, tower)
        return tower

    def _trained(
        self,
        found: LeaveOneOut,
        histories: list[IntArray],
        config: SequenceConfig,
        seed: int,
        console: Console,
        begin: SequenceTower | None,
    ) -> SequenceTower:
        content = found.data.content if self._content else None
        before = self.folders[-1].name if begin is not None else ""
        settings = replace(config, refit_epochs=0, refit_rate=0.0)  # what this training does not read
        flat = np.concatenate(histories)
        about = f"{settings}{content is not None}{before}".encode() + flat.tobytes()
        folder = self._artifacts / f"seed{seed}-{sha256(about).hexdigest()[:12]}"
        console.print(f"tower of seed {seed}: {folder}", markup=False, highlight=False, soft_wrap=True)
        check = None  # a refit has seen those items
        if begin is None:
            check = _Check(found, _CHECKED_TO_CHOOSE if config.patience else _CHECKED).measures
        shifted = [history + 1 for history in histories]
        tower = train_tower(shifted, found.data.n_items, config, content, seed, folder, check, begin=begin)
        self.folders = [*self.folders, folder]
        if check is not None and config.patience:
            self.best_epochs.append(BestWeights(folder, f"sequence-{seed}", config.patience, 1).epoch)
        return tower


class _Check:
    """Measures of some users' validation items, as ``novel`` counts them, for the training."""

    def __init__(self, found: LeaveOneOut, limit: int) -> None:
        held = split(found.data, "validation")
        users = np.sort(np.random.default_rng(1).permutation(held.fresh)[:limit])
        self._histories = [held.known[user] + 1 for user in users]
        self._seen, self._truth = held.seen[users], held.truth[users]

    def measures(self, tower: SequenceTower) -> dict[str, float]:
        vectors, items = encode_users(tower, self._histories), tower.items()[1:].numpy().T
        rows = []
        for begin in range(0, len(vectors), _BLOCK):
            scores = vectors[begin : begin + _BLOCK] @ items
            scores[self._seen[begin : begin + _BLOCK].nonzero()] = -np.inf
            rows.append(top_k(scores, 20))
        best = np.concatenate(rows)
        found = {**per_user(best, self._truth, 10), **per_user(best, self._truth, 20)}
        return {name: round(float(values.mean()), 5) for name, values in found.items()}


def fitted(
    setup: TowerSetup, artifacts: Path, found: LeaveOneOut, seed: int, console: Console
) -> tuple[SequenceMethod | SequenceWithMemory, dict[str, Any]]:
    """The method trained, and what the report says of it. Raises ProtocolError."""
    config = setup.config
    towers = SequenceMethod(config, setup.members, setup.content, artifacts, setup.refit)
    method: SequenceMethod | SequenceWithMemory = towers
    if setup.memory != 0:
        chooser = SequenceMethod(config, setup.members, setup.content, artifacts)
        method = SequenceWithMemory(towers, chooser, setup.memory)
    method.fit(found, seed, console)
    about = {
        "epochs": config.epochs,
        "settings": asdict(config),
        "best_epochs": towers.best_epochs,
        "members": setup.members,
        "refit_epochs": config.refit_epochs if setup.refit else 0,
        "towers": [folder.name for folder in towers.folders],
        "max_difference": towers.max_difference,
    }
    if isinstance(method, SequenceWithMemory):
        tried = [{**settings, "ndcg_at_10": round(value, 5)} for settings, value in method.tried]
        about |= {"memory": method.settings, "memory_tried": tried}
    return method, about
