"""Paddle's libgomp comes from the system or from a wheel."""

from __future__ import annotations

import ctypes

import pytest

from models import openmp

pytestmark = pytest.mark.unit


def test_the_environment_carries_a_copy_that_can_be_loaded() -> None:
    library = openmp.bundled()

    assert library is not None
    assert ctypes.CDLL(str(library)).omp_get_max_threads() >= 1


def test_providing_it_twice_is_no_error() -> None:
    openmp.provide()
    openmp.provide()

    assert ctypes.CDLL("libgomp.so.1").omp_get_max_threads() >= 1
