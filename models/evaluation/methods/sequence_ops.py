"""Inner loops of the sequence tower's training on a CPU: forward and gradient in NumPy, in pieces that fit
the processor's cache. Each has its plain Paddle twin in ``sequence.py`` beside, which is what is exported.

NumPy's matrix products (OpenBLAS) were more than twice as fast as Paddle's here, and neither [B, H, L, L]
scores nor [T, N] logits need to pass through memory several times.

Legend: B users, L positions, N items, D embedding dim, H heads, T tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.paddle import PyLayer, paddle

Tensor = paddle.Tensor
FloatArray = npt.NDArray[np.float32]

NEVER = np.float32(-1e9)  # the score of what lies ahead
SHORT = 32  # windows up to which all users' attention is computed at once
_CHUNK = 192  # tokens whose N logits are held at once


class FastLinear(PyLayer):
    """x W + b: float32 [..., I], [I, O], [O] -> [..., O]."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """As ``paddle.nn.functional.linear``."""
        flat, w = x.numpy().reshape(-1, x.shape[-1]), weight.numpy()
        context.arrays, context.shape = (flat, w), x.shape
        y = flat @ w
        y += bias.numpy()
        return paddle.to_tensor(y.reshape(*x.shape[:-1], w.shape[1]))

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three."""
        flat, w = context.arrays
        g = grad.numpy().reshape(len(flat), -1)
        x_grad = (g @ w.T).reshape(context.shape)
        bias_grad = np.ones(len(g), np.float32) @ g
        return paddle.to_tensor(x_grad), paddle.to_tensor(flat.T @ g), paddle.to_tensor(bias_grad)


class FastAttention(PyLayer):
    """Causal attention with a bias by distance: float32 [B, L, 3·D] (queries, keys, values), [M, H] (M >= L)
    -> [B, L, D]."""

    @staticmethod
    def forward(context: Any, qkv: Tensor, distance: Tensor) -> Tensor:
        """User by user, head by head."""
        x, table = qkv.numpy(), distance.numpy()
        users, length, width = x.shape[0], x.shape[1], x.shape[2] // 3
        heads = table.shape[1]
        behind = _behind(length)
        bias = np.where(behind[None] < 0, NEVER, table.T[:, np.maximum(behind, 0)])  # [H, L, L]
        shares = np.empty((users, heads, length, length), np.float32)
        mixed = np.empty((users, length, width), np.float32)
        scale = np.float32((width // heads) ** -0.5)
        for user in range(users):
            for head in range(heads):
                q, k, v = _parts(x[user], head, heads)
                p = shares[user, head]
                np.matmul(q * scale, k.T, out=p)
                p += bias[head]
                p -= p.max(axis=1, keepdims=True)
                np.exp(p, out=p)
                p *= 1.0 / p.sum(axis=1, keepdims=True)
                mixed[user][:, _columns(head, heads, width)] = p @ v
        context.arrays, context.rows = (x, shares, mixed), len(table)
        return paddle.to_tensor(mixed)

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of both."""
        x, shares, mixed = context.arrays
        g = grad.numpy()
        users, heads, length, _ = shares.shape
        width = mixed.shape[2]
        x_grad, bias_grad = np.empty_like(x), np.zeros((heads, length, length), np.float32)
        scale = np.float32((width // heads) ** -0.5)
        for user in range(users):
            for head in range(heads):
                q, k, v = _parts(x[user], head, heads)
                q_grad, k_grad, v_grad = _parts(x_grad[user], head, heads)
                columns = _columns(head, heads, width)
                p, o = shares[user, head], np.ascontiguousarray(g[user][:, columns])
                v_grad[:] = p.T @ o
                inner = o @ v.T
                inner -= (o * mixed[user][:, columns]).sum(axis=1, keepdims=True)
                inner *= p  # of the scores
                bias_grad[head] += inner
                inner *= scale
                q_grad[:] = inner @ k
                k_grad[:] = inner.T @ q
        places = np.maximum(_behind(length), 0).ravel()  # what lies ahead has no gradient
        by_distance = [np.bincount(places, b.ravel(), context.rows) for b in bias_grad]
        table_grad = np.stack(by_distance, axis=1).astype(np.float32)
        return paddle.to_tensor(x_grad), paddle.to_tensor(table_grad)


class ShortAttention(PyLayer):
    """``FastAttention`` where windows are short: all users and heads at once, as the loop would cost most."""

    @staticmethod
    def forward(context: Any, qkv: Tensor, distance: Tensor) -> Tensor:
        """Products of [B, H, L, D / H]."""
        x, table = qkv.numpy(), distance.numpy()
        users, length, heads = x.shape[0], x.shape[1], table.shape[1]
        size = x.shape[2] // 3 // heads
        q, k, v = np.ascontiguousarray(x.reshape(users, length, 3, heads, size).transpose(2, 0, 3, 1, 4))
        behind = _behind(length)
        p = (q * np.float32(size**-0.5)) @ k.swapaxes(-1, -2)  # [B, H, L, L]
        p += np.where(behind[None] < 0, NEVER, table.T[:, np.maximum(behind, 0)])
        p -= p.max(axis=-1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=-1, keepdims=True)
        mixed = p @ v
        context.arrays, context.rows = (q, k, v, p, mixed), len(table)
        return paddle.to_tensor(mixed.transpose(0, 2, 1, 3).reshape(users, length, heads * size))

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of both."""
        q, k, v, p, mixed = context.arrays
        users, heads, length, size = q.shape
        o = np.ascontiguousarray(grad.numpy().reshape(users, length, heads, size).transpose(0, 2, 1, 3))
        inner = o @ v.swapaxes(-1, -2)
        inner -= (o * mixed).sum(axis=-1, keepdims=True)
        inner *= p  # of the scores, [B, H, L, L]
        places = np.maximum(_behind(length), 0).ravel()  # what lies ahead has no gradient
        by_distance = [np.bincount(places, b.ravel(), context.rows) for b in inner.sum(axis=0)]
        inner *= np.float32(size**-0.5)
        parts = np.stack([inner @ k, inner.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ o])  # [3, B, H, L, S]
        x_grad = parts.transpose(1, 3, 0, 2, 4).reshape(users, length, 3 * heads * size)
        table_grad = np.stack(by_distance, axis=1).astype(np.float32)
        return paddle.to_tensor(x_grad), paddle.to_tensor(table_grad)


class FullSoftmax(PyLayer):
    """Mean cross-entropy over every item: [T, D], [N, D], int64 [T] -> scalar. The gradients are computed at
    once with the loss, so the [T, N] matrix is never whole."""

    @staticmethod
    def forward(context: Any, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """Chunk by chunk."""
        loss, *context.grads = softmax_gradients(states.numpy(), table.numpy(), targets.numpy())
        return paddle.to_tensor(np.float32(loss))

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, ...]:
        """Of states and table."""
        scale = np.float32(float(grad))
        return tuple(paddle.to_tensor(array * scale) for array in context.grads)


def softmax_gradients(
    x: FloatArray, w: FloatArray, targets: npt.NDArray[np.int64]
) -> tuple[float, FloatArray, FloatArray]:
    """The mean cross-entropy of [T, D] against [N, D] and its gradients, of the same shapes."""
    x_grad, w_grad = np.empty_like(x), np.zeros_like(w)
    buffer = np.empty((min(_CHUNK, len(x)), len(w)), np.float32)
    columns = np.ascontiguousarray(w.T)
    total = 0.0
    for begin in range(0, len(x), _CHUNK):
        part = x[begin : begin + _CHUNK]
        logits, lines = buffer[: len(part)], np.arange(len(part))
        np.matmul(part, columns, out=logits)
        logits -= logits.max(axis=1, keepdims=True)
        wanted = targets[begin : begin + _CHUNK]
        right = logits[lines, wanted].astype(np.float64)
        np.exp(logits, out=logits)
        norm = logits.sum(axis=1, keepdims=True)
        total += float((np.log(norm[:, 0]) - right).sum())
        logits *= 1.0 / (norm * len(x))
        logits[lines, wanted] -= np.float32(1.0 / len(x))
        np.matmul(logits, w, out=x_grad[begin : begin + _CHUNK])
        w_grad += logits.T @ part
    return total / len(x), x_grad, w_grad


def _behind(length: int) -> npt.NDArray[np.int64]:
    """[L, L]: how far behind the line's position the column's lies."""
    places = np.arange(length)
    return places[:, None] - places[None, :]


def _columns(head: int, heads: int, width: int) -> slice:
    size = width // heads
    return slice(head * size, (head + 1) * size)


def _parts(x: FloatArray, head: int, heads: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Views of one head's queries, keys and values in [L, 3·D]: [L, D / H] each."""
    width = x.shape[1] // 3
    cut = _columns(head, heads, width)
    return x[:, cut], x[:, width:][:, cut], x[:, 2 * width :][:, cut]
