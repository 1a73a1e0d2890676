"""The quick inner loops compute what Paddle's own operations do, gradients included."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.methods.sequence import SequenceConfig, SequenceTower
from models.evaluation.methods.sequence_ops import SHORT, FastLinear, softmax_gradients
from models.paddle import F, paddle

pytestmark = pytest.mark.unit


def _tower(length: int = 9) -> SequenceTower:
    paddle.seed(3)
    content = np.eye(30, 4, dtype=np.float32)
    tower = SequenceTower(30, SequenceConfig(width=8, heads=2, inner=12, length=length, dropout=0.0), content)
    for weight in tower.parameters():  # away from the zeros and ones that hide a wrong gradient
        weight.set_value(weight + 0.2 * paddle.randn(weight.shape))
    return tower


def _gradients(tower: SequenceTower) -> dict[str, np.ndarray]:
    found = {name: weight.grad.numpy().copy() for name, weight in tower.named_parameters()}
    tower.clear_gradients()
    return found


@pytest.mark.parametrize("length", [9, SHORT + 1])  # each has an attention of its own
def test_training_and_serving_paths_of_the_tower_agree_in_loss_and_gradient(length: int) -> None:
    rng = np.random.default_rng(0)
    tower, sequence = _tower(length), rng.integers(1, 31, (3, 9))
    sequence[1, 4:] = 0
    places = np.flatnonzero(sequence.ravel())
    feeds = [paddle.to_tensor(a) for a in (sequence, places, rng.integers(1, 31, len(places)))]
    tower.train()
    quick = tower.loss(*feeds)
    quick.backward()
    gradients = _gradients(tower)
    tower.eval()
    table = tower.items()
    states = paddle.gather(tower.states(feeds[0], table).flatten(0, 1), feeds[1])
    plain = F.cross_entropy(states @ table[1:].T, (feeds[2] - 1).unsqueeze(1))
    plain.backward()
    assert float(quick) == pytest.approx(float(plain), abs=1e-5)
    for name, expected in _gradients(tower).items():
        assert np.abs(expected).max() > 1e-4, name
        np.testing.assert_allclose(gradients[name], expected, atol=2e-6, err_msg=name)


def test_the_softmax_is_the_same_in_one_chunk_and_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(11, 5)).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    targets = rng.integers(0, 7, 11)
    whole = softmax_gradients(x, w, targets)
    monkeypatch.setattr("models.evaluation.methods.sequence_ops._CHUNK", 4)
    parts = softmax_gradients(x, w, targets)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_softmax_survives_large_scores() -> None:
    x, w = np.full((1, 1), 100.0, np.float32), np.array([[3.0], [-3.0]], np.float32)
    loss, x_grad, w_grad = softmax_gradients(x, w, np.array([1]))
    assert loss == pytest.approx(600.0)
    assert np.isfinite(x_grad).all()
    assert np.isfinite(w_grad).all()


def test_linear_has_the_gradients_of_paddles() -> None:
    paddle.seed(0)
    layer, x = paddle.nn.Linear(4, 3), paddle.randn([2, 5, 4])
    x.stop_gradient = False
    weights = paddle.randn([2, 5, 3])
    (FastLinear.apply(x, layer.weight, layer.bias) * weights).sum().backward()
    quick = [t.grad.numpy().copy() for t in (x, layer.weight, layer.bias)]
    for tensor in (x, layer.weight, layer.bias):
        tensor.clear_gradient()
    (layer(x) * weights).sum().backward()
    for found, tensor in zip(quick, (x, layer.weight, layer.bias), strict=True):
        np.testing.assert_allclose(found, tensor.grad.numpy(), atol=1e-5)
