"""A ranker whose embeddings and numbers are folded into its first layer: sums of rows in place of products.

What the first layer makes of an embedding row, or of one number, depends on nothing else, so it is computed
once for each release (`FoldedRanker`, written by the exporter) and only added up for a request. What is equal
for all candidates, as the user's part, is added up once.

    z = base + Σ_f table[code_f] + Σ_x g_x(number_x)         g_x piecewise linear, g_x(0) = 0
    logit = z_first + ½ Σ_d ( (Σ_f v_fd)² - Σ_f v_fd² ) + mean_m MLP_m(relu(z_m))
    probability = sigmoid(slope · logit + intercept)

z has the widths of all M members one after the other, and the first-order term last.

Legend: C candidates, F sparse columns, X numbers, V rows of the table, B breakpoints, W widths of z, D pairs'
dim, M members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import kernels

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

FOLDER = "folded"  # in a release's `rank`


@dataclass(frozen=True)
class FoldedRanker:
    """The arrays of one ranker; see the module."""

    offsets: IntArray  # [F] where each column's rows begin in `table`
    kept: IntArray  # [F] 0 for a column whose code is not read
    table: FloatArray  # [V, W + D]
    base: FloatArray  # [W]
    breakpoints: FloatArray  # [X, B] rising, +inf where there are fewer
    values: FloatArray  # [X, B + 1, W] of each number's function where its piece begins
    slopes: FloatArray  # [X, B + 1, W] in the piece
    weights: Sequence[FloatArray]  # of the layers after the first, [M, in, out]
    biases: Sequence[FloatArray]  # [M, 1, out]
    calibration: FloatArray  # [2] slope and intercept

    def save(self, folder: Path) -> None:
        """Write the arrays into a new folder."""
        folder.mkdir()
        for part in fields(self):
            value = getattr(self, part.name)
            parts = {part.name: value} if isinstance(value, np.ndarray) else {
                f"{part.name}_{number}": array for number, array in enumerate(value)
            }  # fmt: skip
            for name, array in parts.items():
                np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> FoldedRanker:
        """The ranker that `save` wrote, memory-mapped. Raises OSError and ValueError."""

        def read(path: Path) -> Any:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))

        def layers(name: str) -> list[Any]:
            count = len(list(folder.glob(f"{name}_*.npy")))
            return [read(folder / f"{name}_{number}.npy") for number in range(count)]

        names = [part.name for part in fields(cls) if part.name not in ("weights", "biases")]
        arrays: dict[str, Any] = {name: read(folder / f"{name}.npy") for name in names}
        return cls(**arrays, weights=layers("weights"), biases=layers("biases"))

    def misfit(self, sparse: npt.NDArray[Any], dense: npt.NDArray[Any]) -> str:
        """Why `probabilities` must not be asked for these arrays, or "". The kernel checks no index."""
        wanted = ((np.int64, len(self.offsets)), (np.float32, len(self.breakpoints)))
        for array, (dtype, width) in zip((sparse, dense), wanted, strict=True):
            if array.dtype != dtype or array.ndim != 2 or array.shape[1] != width:
                return f"{array.dtype} {list(array.shape)} is not {np.dtype(dtype)} [B, {width}]"
        codes, buckets = sparse * self.kept, np.diff(self.offsets, append=len(self.table))
        return "a code is not in the table" if (codes < 0).any() or (codes >= buckets).any() else ""

    def probabilities(self, sparse: IntArray, dense: FloatArray) -> FloatArray:
        """Probability of each row, float32 [C]; `sparse` int64 [C, F], `dense` float32 [C, X]."""
        first_layer = compiled.first_layer if (compiled := kernels.loaded()) else first_layer_by_numpy
        sums, pairs = first_layer(
            sparse, dense, self.offsets, self.kept, self.table, self.base,
            self.breakpoints, self.values, self.slopes, self.table.shape[1] - len(self.base),
        )  # fmt: skip
        members = len(self.weights[0])
        out = sums[:, :-1].reshape(len(sums), members, -1).transpose(1, 0, 2)  # [M, C, H]
        for weights, biases in zip(self.weights, self.biases, strict=True):
            out = np.maximum(out, 0.0) @ weights + biases
        logit = sums[:, -1] + pairs + out[:, :, 0].mean(axis=0)
        slope, intercept = self.calibration
        probability: FloatArray = 1.0 / (1.0 + np.exp(-(logit * slope + intercept)))
        return probability


def first_layer_by_numpy(
    sparse: IntArray,
    dense: FloatArray,
    offsets: IntArray,
    kept: IntArray,
    table: FloatArray,
    base: FloatArray,
    breakpoints: FloatArray,
    values: FloatArray,
    slopes: FloatArray,
    n_square: int,
) -> tuple[FloatArray, FloatArray]:
    """What `engine.kernels.folded.first_layer` computes: its definition, slower."""
    entries = table[sparse * kept + offsets]  # [C, F, W + D]
    piece = (dense[:, :, None] >= breakpoints).sum(axis=2)  # [C, X]
    number = np.arange(len(breakpoints))
    begins = np.where(piece > 0, breakpoints[number, np.maximum(piece - 1, 0)], 0.0)
    above = np.where(np.isfinite(begins), dense - begins, 0.0)[:, :, None]
    sums = base + entries[:, :, : len(base)].sum(axis=1)
    sums += (values[number, piece] + above * slopes[number, piece]).sum(axis=1)
    vectors = entries[:, :, len(base) :]
    pairs = 0.5 * (np.square(vectors.sum(axis=1)) - np.square(vectors).sum(axis=1)).sum(axis=1)
    return sums.astype(np.float32), pairs.astype(np.float32)


def fold_piecewise(
    begin: FloatArray, rate: FloatArray, parts: npt.NDArray[np.float64], linear: npt.NDArray[np.float64]
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.float64]]:
    """Pieces of g_x(v) = Σ_t clip((v - begin_xt) · rate_xt, 0, 1) · parts_xt + v · linear_x, for v >= 0.

    Args:
        begin, rate: float32 [X, T]; rate 0 for an interval that is not there.
        parts: [X, T, W]; `linear` [X, W].

    Returns:
        `breakpoints`, `values` and `slopes` of a `FoldedRanker`, and what `values` leave out: Σ_x g_x(0) [W].
    """
    edges = []
    for begins, rates in zip(begin.astype(np.float64), rate.astype(np.float64), strict=True):
        used = rates > 0
        ends = begins[used] + 1.0 / rates[used]
        cuts = np.concatenate([begins[used], ends]).astype(np.float32)
        edges.append(np.unique(cuts[cuts > 0]))
    count, width = max([1, *map(len, edges)]), linear.shape[1]
    breakpoints = np.full((len(edges), count), np.inf, np.float32)
    values, slopes = (np.zeros((len(edges), count + 1, width)) for _ in range(2))
    at_zero = np.zeros(width)
    for x, cuts in enumerate(edges):
        breakpoints[x, : len(cuts)] = cuts
        starts = np.concatenate([[0.0], cuts.astype(np.float64)])  # of the pieces
        middles = np.append((starts[1:] + starts[:-1]) / 2, starts[-1] + 1.0)

        def share(points: npt.NDArray[np.float64], x: int = x) -> npt.NDArray[np.float64]:
            shares: npt.NDArray[np.float64] = (points[:, None] - begin[x]) * rate[x].astype(np.float64)
            return shares

        value = np.clip(share(starts), 0.0, 1.0) @ parts[x] + starts[:, None] * linear[x]
        rising = (share(middles) > 0) & (share(middles) < 1)
        values[x, : len(starts)] = value - value[0]
        slopes[x, : len(starts)] = (rising * rate[x]) @ parts[x] + linear[x]
        at_zero += value[0]
    return breakpoints, values.astype(np.float32), slopes.astype(np.float32), at_zero
