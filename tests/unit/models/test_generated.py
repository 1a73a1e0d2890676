"""The generated sparse set: the same from the same seed, and with items that belong together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.evaluation.command import main
from models.evaluation.generated import SparseConfig, generate, write
from models.evaluation.leave_one_out import measures, rank
from models.evaluation.methods.baselines import METHODS
from models.evaluation.sequences import load_sasrec, split

pytestmark = pytest.mark.unit

_SMALL = SparseConfig(users=2000, items=1200)


def test_equal_seeds_give_equal_sets_and_nobody_takes_an_item_twice() -> None:
    taken = generate(_SMALL, 7)
    assert taken.shape == (2000, 9)
    assert (taken == generate(_SMALL, 7)).all()
    assert not (taken == generate(_SMALL, 8)).all()
    assert all(len(set(line)) == 9 for line in taken.tolist())
    assert taken.min() >= 0
    assert taken.max() < 1200


def test_items_follow_each_other_more_than_chance_has_it() -> None:
    taken = generate(SparseConfig(users=4000, items=360), 7)

    def equal_pairs(of: np.ndarray, apart: int) -> float:
        """Pairs of users with the same two items so far apart, on average over the places."""
        pairs = [of[:, step] * 360 + of[:, step + apart] for step in range(9 - apart)]
        counts = [np.unique(pair, return_counts=True)[1] for pair in pairs]
        return float(np.mean([(count * (count - 1)).sum() for count in counts]))

    shuffled = np.random.default_rng(1).permuted(taken, axis=0)  # the same items as often, by other users
    assert equal_pairs(taken, 1) > 1.5 * equal_pairs(shuffled, 1)
    assert equal_pairs(taken, 1) > 1.5 * equal_pairs(taken, 4)  # the order tells something


def test_what_is_taken_together_tells_more_than_popularity(tmp_path: Path) -> None:
    write(generate(SparseConfig(users=3000, items=1800), 7), tmp_path / "set.txt")
    found = split(load_sasrec(tmp_path / "set.txt"), "test")
    values = []
    for name in ("popularity", "itemknn"):
        method = METHODS[name]()
        method.fit(SimpleNamespace(bought=found.seen), 7)
        lists = rank(method, name, found, "novel")
        values.append(measures(found, lists, 7)[0]["ndcg_at_10"]["mean"])
    assert values[1] > 1.2 * values[0]


def test_the_command_writes_what_the_protocol_reads(tmp_path: Path) -> None:
    file = tmp_path / "sparse.txt"
    given = ["sparse-set", "--out", str(file), "--users", "300", "--items", "400", "--seed", "3"]
    assert main(given) == 0
    first = file.read_bytes()
    data = load_sasrec(file)
    assert len(data.histories) == 300
    ids = np.array(data.item_ids, np.int64)
    expected = generate(SparseConfig(users=300, items=400), 3) + 1
    assert (np.stack([ids[history] for history in data.histories]) == expected).all()
    assert main(given) == 0
    assert file.read_bytes() == first
    assert main(["sasrec-loo", "--path", str(file), "--method", "popularity"]) == 0


def test_too_few_items_are_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sparse-set", "--out", str(tmp_path / "x"), "--items", "10"]) == 1
    assert "--items 360 or more" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
