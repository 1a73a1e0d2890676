"""`python -m tests.integration.ranker.tiny_ranker FOLDER`: a small ranker, by Paddle and as ONNX.

With Paddle's own answers. A program of its own, because Paddle takes a second of start and 300 MB that no
other test should carry.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from models.paddle import paddle

FIELDS, DENSE, BUCKETS = 3, 2, 50
BATCHES = (1, 7, 32, 200, 513, 1500)


class TinyRanker(paddle.nn.Layer):  # type: ignore[misc]  # Paddle has no types
    """sigmoid of a linear layer over the fields' embeddings and the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = paddle.nn.Embedding(BUCKETS, 4)
        self.linear = paddle.nn.Linear(FIELDS * 4 + DENSE, 1)

    def forward(self, sparse_ids: Any, dense_values: Any) -> Any:
        flat = self.embedding(sparse_ids).reshape([-1, FIELDS * 4])  # [B, F * 4]
        logit = self.linear(paddle.concat([flat, dense_values], axis=1))  # [B, 1]
        return paddle.nn.functional.sigmoid(3 * logit).squeeze(-1)  # [B]


def main(folder: Path) -> None:
    """Write model.json, model.pdiparams, model.onnx and cases.npz."""
    import paddle2onnx  # noqa: PLC0415 - imports Paddle, which models.paddle must do first

    paddle.seed(7)
    ranker = TinyRanker()
    ranker.eval()
    spec = paddle.static.InputSpec
    paddle.jit.save(
        ranker,
        str(folder / "model"),
        input_spec=[
            spec([None, FIELDS], "int64", "sparse_ids"),
            spec([None, DENSE], "float32", "dense_values"),
        ],
    )
    # With its default optimiser it installs packages by pip into the running environment.
    paddle2onnx.export(
        str(folder / "model.json"),
        str(folder / "model.pdiparams"),
        str(folder / "model.onnx"),
        optimize_tool="none",
    )
    rng = np.random.default_rng(3)
    cases = {}
    for rows in BATCHES:
        sparse = rng.integers(0, BUCKETS, (rows, FIELDS))
        dense = rng.standard_normal((rows, DENSE)).astype(np.float32)
        answer = ranker(paddle.to_tensor(sparse), paddle.to_tensor(dense)).numpy()
        cases.update({f"{rows}_sparse": sparse, f"{rows}_dense": dense, f"{rows}_expected": answer})
    np.savez(folder / "cases.npz", **cases)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
