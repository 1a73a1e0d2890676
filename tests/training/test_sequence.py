"""The sequence tower learns an order, goes on after an interruption, and is served as it was trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from models.evaluate.sequence_training import cut_windows, encode_users, newest, train_tower, window_batches
from models.export import export_network, onnx_runner
from models.sequence import SequenceConfig, SequenceTower, ServedTower, served_items

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
        served[chosen] = ServedTower(towers)(paddle.to_tensor(feed)).numpy()
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
        return np.asarray(tower(paddle.to_tensor(feed)).numpy())
