"""Arrays on PaddleServing's wire, without ever unpickling.

Stock PaddleServing reads `byte_data` with `np.load(allow_pickle=True)`, which runs whatever code a caller
sends. Here the .npy header must be, to the letter, what numpy writes for plain numbers (its own parser
evaluates Python literals and fails in many ways); the values are a view of the received bytes. Nothing is
executed, and nothing larger than the message is allocated.
"""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from numpy.lib import format as npy

NPY_BYTES = 13
"""`Tensor.elem_type` of a tensor whose `byte_data` is a whole .npy file."""

_LISTS = {0: ("int64_data", np.int64), 1: ("float_data", np.float32), 2: ("int_data", np.int32)}
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00.."  # magic, version 1.0, length of the rest of the header
    rb"\{'descr': '(?P<dtype>[<|][biuf][1248])', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,9},? ?){0,8})\), \} *\n",
    re.DOTALL,
)


class BadTensor(ValueError):
    """A tensor that cannot be read, or that we refuse to read."""


def to_npy(array: np.ndarray[Any, Any]) -> bytes:
    """The array as the bytes of a .npy file; object arrays raise `ValueError`."""
    buffer = io.BytesIO()
    npy.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def from_npy(data: bytes) -> np.ndarray[Any, Any]:
    """A read-only view of the values in .npy bytes.

    Raises:
        BadTensor: not a .npy file, pickled objects, Fortran order, or bytes missing or left over.
    """
    header = _HEADER.match(data)
    if header is None:
        raise BadTensor("not a .npy array of plain numbers (pickled objects are refused)")
    shape = tuple(int(length) for length in re.findall(rb"\d+", header["shape"]))
    if header["fortran"] == b"True" and len(shape) > 1:
        raise BadTensor("arrays must be in row-major order")
    try:
        dtype = np.dtype(header["dtype"].decode())
    except TypeError as error:
        raise BadTensor(f"unknown dtype {header['dtype']!r}") from error
    size = len(data) - header.end()
    if size != math.prod(shape) * dtype.itemsize:
        raise BadTensor(f"{size} bytes do not fill shape {shape} of {dtype}")
    return np.frombuffer(data, dtype=dtype, offset=header.end()).reshape(shape)


def decode(tensor: Any) -> np.ndarray[Any, Any]:
    """The array in one `Tensor` message: .npy bytes, or a list of int64, float32 or int32.

    Raises:
        BadTensor: as `from_npy`, or another element type, a ragged tensor, a shape that does not fit.
    """
    if tensor.lod:
        raise BadTensor("ragged tensors (lod) are not accepted")
    if tensor.elem_type == NPY_BYTES:
        return from_npy(tensor.byte_data)
    if tensor.elem_type not in _LISTS:
        raise BadTensor(f"elem_type {tensor.elem_type} is not accepted, send 0, 1, 2 or {NPY_BYTES}")
    field, dtype = _LISTS[tensor.elem_type]
    values = np.array(getattr(tensor, field), dtype=dtype)
    if any(length < 0 for length in tensor.shape):
        raise BadTensor(f"shape {list(tensor.shape)} has a negative length")
    try:
        return values.reshape(list(tensor.shape))
    except ValueError as error:
        raise BadTensor(f"{values.size} values do not fill shape {list(tensor.shape)}") from error
