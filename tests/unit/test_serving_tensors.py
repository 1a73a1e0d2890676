"""Arrays on PaddleServing's wire: what is read, and what is refused without being executed or allocated."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy
from paddle_serving import pipeline_service_pb2 as wire

from services.rank.serving.tensors import NPY_BYTES, BadTensor, decode, from_npy, to_npy

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("dtype", ["int64", "float32", "int32", "float64"])
@pytest.mark.parametrize("shape", [(0, 3), (1,), (7, 3), (2, 3, 4)])
def test_npy_bytes_come_back_equal(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    np.testing.assert_array_equal(from_npy(to_npy(array)), array, strict=True)


def test_transposed_arrays_are_sent_row_major() -> None:
    array = np.arange(6, dtype=np.int64).reshape(2, 3).T
    np.testing.assert_array_equal(from_npy(to_npy(array)), array, strict=True)


def test_object_arrays_are_neither_written_nor_read() -> None:
    array = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        to_npy(array)
    buffer = io.BytesIO()
    npy.write_array(buffer, array, allow_pickle=True)
    with pytest.raises(BadTensor, match="pickled"):
        from_npy(buffer.getvalue())


def test_a_header_that_promises_more_than_was_sent_allocates_nothing() -> None:
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**8, 10**8)})
    with pytest.raises(BadTensor, match="do not fill"):
        from_npy(buffer.getvalue() + b"1234")


@pytest.mark.parametrize("shape", [(-1, 2), (2, -1)])
def test_negative_lengths_are_refused(shape: tuple[int, ...]) -> None:
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with pytest.raises(BadTensor):
        from_npy(buffer.getvalue())


def is_array_or_refused(data: bytes) -> bool:
    try:
        return isinstance(from_npy(data), np.ndarray)
    except BadTensor:
        return True


@given(st.binary(max_size=200))
def test_any_bytes_are_an_array_or_a_bad_tensor(data: bytes) -> None:
    assert is_array_or_refused(data)


@given(st.integers(0, 127), st.integers(0, 255))
def test_a_damaged_header_is_an_array_or_a_bad_tensor(position: int, value: int) -> None:
    data = bytearray(to_npy(np.ones((2, 3), np.float32)))
    data[position] = value
    assert is_array_or_refused(bytes(data))


def test_lists_of_numbers_are_read_by_their_element_type() -> None:
    tensor = wire.Tensor(elem_type=1, shape=[2, 2], float_data=[1, 2, 3, 4])
    np.testing.assert_array_equal(decode(tensor), np.array([[1, 2], [3, 4]], np.float32), strict=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"elem_type": 12, "str_data": ["x"]},
        {"elem_type": 0, "shape": [2], "int64_data": [1, 2, 3]},
        {"elem_type": 0, "shape": [-1], "int64_data": [1, 2, 3]},
        {"elem_type": 0, "shape": [2], "int64_data": [1, 2], "lod": [0, 1]},
        {"elem_type": NPY_BYTES, "byte_data": b""},
    ],
    ids=["string", "shape", "negative", "ragged", "empty"],
)
def test_other_tensors_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadTensor):
        decode(wire.Tensor(**fields))
