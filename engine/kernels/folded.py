"""The first layer of a ranker whose embeddings and numbers were folded into it (`engine/folded.py`).

Legend: C candidates, F sparse columns, X numbers, V rows of the embedding table, B breakpoints, W outputs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.kernels.compiler import F32_1, F32_2, F32_3, I64, I64_1, I64_2, compiled, helper

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@helper
def _add_number(
    line: FloatArray,
    number: int,
    value: np.float32,
    breakpoints: FloatArray,
    values: FloatArray,
    slopes: FloatArray,
) -> None:
    """Add the function of one number at `value` to `line` [W]; nothing has to be added at 0."""
    piece = 0
    for b in range(breakpoints.shape[1]):
        piece += value >= breakpoints[number, b]
    above = value - (breakpoints[number, piece - 1] if piece else np.float32(0.0))
    begin, slope = values[number, piece], slopes[number, piece]
    for w in range(len(line)):
        line[w] += begin[w] + above * slope[w]


@helper
def _common_columns(sparse: IntArray, n_sparse: int) -> int:
    """How many columns, from the left, are equal in all rows."""
    common = n_sparse
    for c in range(1, len(sparse)):
        for column in range(common):
            if sparse[c, column] != sparse[0, column]:
                common = column
                break
    return common


@helper
def _same_numbers(dense: FloatArray) -> npt.NDArray[np.bool_]:
    """Which columns are equal in all rows, [X]."""
    same = np.ones(dense.shape[1], np.bool_)
    for c in range(1, len(dense)):
        for x in range(dense.shape[1]):
            same[x] &= dense[c, x] == dense[0, x]
    return same


@compiled(I64_2, F32_2, I64_1, I64_1, F32_2, F32_1, F32_2, F32_3, F32_3, I64)
def first_layer(
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
    """Sums of table rows and of piecewise linear functions, and the pairs among the first columns.

    Args:
        sparse: [C, F] codes; columns that are equal in all rows, from the left, are summed once.
        dense: [C, X].
        offsets: [F] where each column's rows begin in `table`; `kept` [F], 0 for a column that is not read.
        table: [V, W + n_square]; its last columns take part in pairs.
        base: [W], the sum at no code and every number 0.
        breakpoints: [X, B], rising; a number is in the piece after the last one that it reaches.
        values: [X, B + 1, W], of each number's function at the beginning of the piece (at 0 in the first),
            less its value at 0; `slopes` in the piece.

    Returns:
        Sums float32 [C, W], and pairs float32 [C]: half of (sum of a column)² - sum of its squares.
    """
    n_rows, n_sparse, n_dense, width = len(sparse), len(offsets), dense.shape[1], len(base)
    out = np.empty((n_rows, width), np.float32)
    pairs = np.empty(n_rows, np.float32)
    common = _common_columns(sparse, n_sparse)
    shared = base.copy()
    shared_sums, sums = np.zeros(n_square, np.float32), np.zeros(n_square, np.float32)
    shared_squares = np.float32(0.0)
    for column in range(common):
        row = sparse[0, column] * kept[column] + offsets[column]
        for w in range(width):
            shared[w] += table[row, w]
        for d in range(n_square):
            value = table[row, width + d]
            shared_sums[d] += value
            shared_squares += value * value
    # A number that is the same for every candidate is summed once too.
    same = _same_numbers(dense)
    for x in range(n_dense):
        if same[x] and dense[0, x] != np.float32(0.0):
            _add_number(shared, x, dense[0, x], breakpoints, values, slopes)
    for c in range(n_rows):
        line = out[c]
        line[:] = shared
        sums[:] = shared_sums
        squares = shared_squares
        for column in range(common, n_sparse):
            row = sparse[c, column] * kept[column] + offsets[column]
            entry = table[row]
            for w in range(width):
                line[w] += entry[w]
            for d in range(n_square):
                value = entry[width + d]
                sums[d] += value
                squares += value * value
        for x in range(n_dense):
            # Tested here: an early return in the helper keeps it from being vectorised.
            if not same[x] and dense[c, x] != np.float32(0.0):
                _add_number(line, x, dense[c, x], breakpoints, values, slopes)
        total = np.float32(0.0)
        for d in range(n_square):
            total += sums[d] * sums[d]
        pairs[c] = np.float32(0.5) * (total - squares)
    return out, pairs
