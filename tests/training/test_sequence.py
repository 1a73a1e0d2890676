"""The sequence tower learns an order, goes on after an interruption, and is served as it was trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.methods.sequence import SequenceConfig, SequenceTower, ServedTower, served_items
from models.evaluation.methods.sequence_training import (
    Negatives,
    cut_windows,
    encode_users,
    item_factors,
    newest,
    train_tower,
    window_batches,
)
from models.paddle import paddle
from models.training.export import export_network, onnx_runner

pytestmark = pytest.mark.unit

_TINY = SequenceConfig(width=8, blocks=1, heads=2, inner=16, length=6, dropout=0.0, batch_tokens=64)


def _circles(users: int = 60, n_items: int = 10) -> list[np.ndarray]:
    """After item i comes item i + 1, after the last the first: int64 from 1."""
    return [(np.arange(5 + user % 7) + user) % n_items + 1 for user in range(users)]


def _towers() -> list[SequenceTower]:
    towers = []
    for seed in (1, 2):
        paddle.seed(seed)
        tower = SequenceTower(10, _TINY)
        tower.ids.weight.set_value(paddle.randn([11, 8]))
        tower.eval()
        towers.append(tower)
    return towers


def test_every_step_of_every_history_is_learnt_from_once() -> None:
    histories = [np.arange(1, 15), np.array([20, 21]), np.array([30])]
    seen: dict[tuple[int, int], int] = {}
    for seed in range(20):
        windows = cut_windows(histories, 6, np.random.default_rng(seed))
        pairs = []
        for items, places, targets in window_batches(windows, 12, np.random.default_rng(seed)):
            pairs += list(zip(items.ravel()[places].tolist(), targets.tolist(), strict=True))
            assert items.shape[1] <= 6
        assert len(pairs) == len(set(pairs))
        assert all(target == item + 1 for item, target in pairs)
        assert (20, 21) in pairs
        for pair in pairs:
            seen[pair] = seen.get(pair, 0) + 1
    assert {item for item, _ in seen} == {*range(1, 14), 20}


def test_it_learns_what_comes_next(tmp_path: Path) -> None:
    config = SequenceConfig(**{**_TINY.__dict__, "epochs": 12, "learning_rate": 3e-2})
    tower = train_tower(_circles(), 10, config, None, 5, tmp_path)
    vectors = encode_users(tower, [np.array([3, 4, 5]), np.array([9, 10])])
    assert (vectors @ tower.items()[1:].numpy().T).argmax(axis=1).tolist() == [5, 0]  # items 6 and 1


def test_an_interrupted_training_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    config = SequenceConfig(**{**_TINY.__dict__, "epochs": 2})
    whole = train_tower(_circles(), 10, config, None, 5, tmp_path / "whole")

    def stop(_tower: SequenceTower) -> dict[str, float]:
        if (tmp_path / "broken" / "sequence-5.state").is_file():
            raise KeyboardInterrupt
        return {"measured": 1.0}

    with pytest.raises(KeyboardInterrupt):
        train_tower(_circles(), 10, config, None, 5, tmp_path / "broken", stop, every=1)
    resumed = train_tower(_circles(), 10, config, None, 5, tmp_path / "broken")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)
    lines = [json.loads(x) for x in (tmp_path / "broken" / "progress.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[0]["measured"] == 1.0


def _checked(values: list[float], kept: list[np.ndarray]) -> Callable[[SequenceTower], dict[str, float]]:
    """A check that finds the values one after the other and remembers the weights it saw."""

    def check(tower: SequenceTower) -> dict[str, float]:
        kept.append(tower.ids.weight.numpy().copy())
        return {"ndcg_at_10": values[len(kept) - 1]}

    return check


def test_validation_ends_the_training_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    config = replace(_TINY, epochs=9, patience=2)
    seen: list[np.ndarray] = []
    tower = train_tower(_circles(), 10, config, None, 5, tmp_path, _checked([0.1, 0.3, 0.2, 0.3], seen))
    assert len(seen) == 4  # two epochs after the best, which an equal one is not
    assert (tower.ids.weight.numpy() == seen[1]).all()
    assert not (seen[1] == seen[3]).all()
    again = train_tower(_circles(), 10, config, None, 5, tmp_path, _checked([], []))
    assert (again.ids.weight.numpy() == seen[1]).all()


def test_an_interrupted_search_for_the_best_epoch_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    config, values = replace(_TINY, epochs=6, patience=2), [0.1, 0.3, 0.2, 0.25, 0.9]
    whole = train_tower(_circles(), 10, config, None, 5, tmp_path / "whole", _checked(values, []))

    def stop(_tower: SequenceTower) -> dict[str, float]:
        if (tmp_path / "broken" / "sequence-5.state").is_file():
            raise KeyboardInterrupt
        return {"ndcg_at_10": values[0]}

    with pytest.raises(KeyboardInterrupt):
        train_tower(_circles(), 10, config, None, 5, tmp_path / "broken", stop)
    resumed = train_tower(_circles(), 10, config, None, 5, tmp_path / "broken", _checked(values[1:], []))
    np.testing.assert_allclose(resumed.ids.weight.numpy(), whole.ids.weight.numpy(), atol=1e-6)


def test_a_loss_over_every_item_drawn_is_the_full_one() -> None:
    tower, histories = _towers()[0], _circles()
    windows = cut_windows(histories, 6, np.random.default_rng(1))
    items, places, targets = next(window_batches(windows, 200, np.random.default_rng(1)))
    at, some, log_q = Negatives.of(histories, 10, 5000).draw(targets, np.random.default_rng(2))
    assert some.tolist() == list(range(1, 11))
    np.testing.assert_allclose(log_q, 0.0, atol=1e-6)  # each is among them for sure
    arrays = [paddle.to_tensor(array) for array in (items, places, at, some, log_q)]
    full = tower.loss(*(paddle.to_tensor(array) for array in (items, places, targets)))
    assert float(tower.sampled_loss(*arrays)) == pytest.approx(float(full), abs=1e-5)


def test_how_likely_an_item_is_drawn_is_what_happens() -> None:
    rng = np.random.default_rng(3)
    share = np.concatenate([[0.0], rng.dirichlet(np.ones(40) * 0.3)])
    drawing, hits, told = Negatives(share, 12), np.zeros(41), np.zeros(41)
    for _ in range(3000):
        places, some, log_q = drawing.draw(rng.choice(41, 25, p=share), rng)
        hits[some] += 1
        told[some] = np.exp(log_q)
        assert places.max() < len(some)
    np.testing.assert_allclose(hits[1:] / 3000, told[1:], atol=0.04)


def test_the_first_vectors_of_items_with_the_same_takers_lie_together() -> None:
    rng = np.random.default_rng(6)
    groups = [np.arange(1, 9), np.arange(9, 17), np.arange(17, 25)]
    histories = [rng.permutation(groups[user % 3])[:5] for user in range(90)]
    found = item_factors(histories, 24, 6, 7)
    assert found.shape == (25, 6)
    assert (found[0] == 0).all()
    assert (found == item_factors(histories, 24, 6, 7)).all()
    unit = found[1:] / np.linalg.norm(found[1:], axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -1)
    assert (similar.argmax(axis=1) // 8 == np.arange(24) // 8).all()


def test_sampled_and_warm_training_learns_what_comes_next(tmp_path: Path) -> None:
    config = replace(_TINY, epochs=14, learning_rate=3e-2, negatives=3, warm=True)
    tower = train_tower(_circles(), 10, config, None, 5, tmp_path)
    vectors = encode_users(tower, [np.array([3, 4, 5]), np.array([9, 10])])
    assert (vectors @ tower.items()[1:].numpy().T).argmax(axis=1).tolist() == [5, 0]


def test_padding_and_batching_change_no_vector() -> None:
    tower, histories = _towers()[0], _circles()
    alone = np.concatenate([tower(paddle.to_tensor(history[None, -6:])).numpy() for history in histories])
    np.testing.assert_allclose(encode_users(tower, histories), alone, atol=1e-5)


def test_unit_vectors_order_items_as_the_towers_do() -> None:
    towers, histories = _towers(), _circles()
    joined = np.concatenate([encode_users(tower, histories) for tower in towers], axis=1)
    table = np.concatenate([tower.items()[1:].numpy() for tower in towers], axis=1)
    items = served_items(towers)
    served = np.empty((len(histories), items.shape[1]), np.float32)
    for chosen, feed in newest(histories, 6, full=True):
        served[chosen] = ServedTower(towers)({"sequence_items": paddle.to_tensor(feed)}).numpy()
    np.testing.assert_allclose(np.linalg.norm(items, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(served, axis=1), 1.0, atol=1e-6)
    assert (np.argsort(served @ items.T) == np.argsort(joined @ table.T)).all()


def test_onnx_gives_the_vectors_of_the_network(tmp_path: Path) -> None:
    config = SequenceConfig(**{**_TINY.__dict__, "epochs": 1})
    tower = ServedTower([train_tower(_circles(), 10, config, None, seed, tmp_path) for seed in (1, 2)])
    feed = next(iter(newest(_circles(), 6, full=True)))[1]
    expected = encode_served(tower, feed)
    entry = export_network(tower, {"sequence_items": feed}, tmp_path, "user_vector")
    found = onnx_runner(tmp_path / "model.onnx")({"sequence_items": feed[:5]})
    assert max(entry["max_difference"].values()) < 1e-4
    np.testing.assert_allclose(found, expected[:5], atol=1e-4)


def encode_served(tower: ServedTower, feed: np.ndarray) -> np.ndarray:
    tower.eval()
    with paddle.no_grad():
        return np.asarray(tower({"sequence_items": paddle.to_tensor(feed)}).numpy())
