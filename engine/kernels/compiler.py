"""How kernels are compiled: for exact argument types, when their module is imported, without the GIL.

Exact types keep compilation out of requests: another type is a TypeError, never a second compilation. Arrays
are contiguous, and declared read-only, which takes writable ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba import types

Function = TypeVar("Function", bound=Callable[..., Any])

F64, I64 = types.float64, types.int64


def _array(dtype: Any, ndim: int) -> Any:
    return types.Array(dtype, ndim, "C", readonly=True)


I64_1, I64_2 = _array(types.int64, 1), _array(types.int64, 2)
I32_2, I8_1, BOOL_1 = _array(types.int32, 2), _array(types.int8, 1), _array(types.boolean, 1)
F64_1, F64_2 = _array(types.float64, 1), _array(types.float64, 2)
F32_1, F32_2, F32_3 = _array(types.float32, 1), _array(types.float32, 2), _array(types.float32, 3)


def compiled(*arguments: Any) -> Callable[[Function], Function]:
    """Compile a function for arguments of these types, and keep the result on disk where one can write."""

    def compile_function(function: Function) -> Function:
        result: Function
        try:
            result = numba.njit([arguments], nogil=True, cache=True)(function)
        except RuntimeError as error:  # numba raises it where no folder for its cache can be written
            if "cannot cache" not in str(error):
                raise
            result = numba.njit([arguments], nogil=True)(function)
        return result

    return compile_function


def helper(function: Function) -> Function:
    """A function that kernels call; it is compiled with them."""
    result: Function = numba.njit(nogil=True)(function)
    return result
