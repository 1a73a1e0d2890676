"""What makes training fast changes no result."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from models.layers import Dropout, log_sum_exp, unit
from models.paddle import F, paddle
from models.training import process
from models.training.fitting import seed_everything

pytestmark = pytest.mark.unit

WIDE = "avx2 fma avx512f avx512bw avx512cd avx512dq avx512vl"
SIZE = 40_000_000  # bytes; of up to 32 MiB glibc keeps some by itself, and NumPy asks for huge pages


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_glibc_keeps_what_is_freed() -> None:
    assert process.keep_freed_memory()
    takes = range(20)
    assert len(b"x" * SIZE) == SIZE
    before = minor_faults()
    for _ in takes:
        assert len(b"x" * SIZE) == SIZE  # every page written, and freed
    assert minor_faults() - before < SIZE // 4096  # mapped anew each time: 20 times as many


def minor_faults() -> int:
    """Pages that the kernel gave this process without reading a file."""
    fields = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(fields[7])


def test_without_glibc_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.ctypes, "CDLL", lambda name: object())
    assert not process.keep_freed_memory()


@pytest.mark.parametrize(
    ("maker", "flags", "expected"),
    [
        ("AuthenticAMD", WIDE, "7"),
        ("AuthenticAMD", "sse2 avx2 fma", "5"),
        ("AuthenticAMD", "sse2 avx", ""),
        ("GenuineIntel", WIDE, ""),
    ],
)
def test_kernels_are_those_of_the_processor(tmp_path: Path, maker: str, flags: str, expected: str) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"vendor_id\t: {maker}\nflags\t\t: {flags}\n\nvendor_id\t: {maker}\nflags\t\t: none\n")
    assert process.best_kernels(info) == expected
    assert process.best_kernels(tmp_path / "nosuch") == ""


def test_what_the_environment_says_of_the_kernels_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"vendor_id\t: AuthenticAMD\nflags\t\t: {WIDE}\n")
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "4")
    process.use_wide_vectors(info)
    assert process.os.environ["MKL_DEBUG_CPU_TYPE"] == "4"


@pytest.mark.parametrize("shape", [(1, 7, 5), (33, 65, 17), (256, 650, 128)])
def test_products_of_matrices_are_right(shape: tuple[int, int, int]) -> None:
    rows, inner, columns = shape
    rng = np.random.default_rng(1)
    left = rng.normal(size=(rows, inner)).astype(np.float32)
    right = rng.normal(size=(inner, columns)).astype(np.float32)
    product = (paddle.to_tensor(left) @ paddle.to_tensor(right)).numpy()
    np.testing.assert_allclose(product, left.astype(np.float64) @ right.astype(np.float64), atol=1e-3)


def both(function: object, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A function's result, and the gradient of the sum of its squares."""
    given = paddle.to_tensor(values, stop_gradient=False)
    result = function(given)  # type: ignore[operator]
    paddle.square(result).sum().backward()
    return result.numpy(), given.grad.numpy()


def test_own_operations_are_those_of_paddle() -> None:
    values = (np.random.default_rng(2).normal(size=(40, 30)) * 20).astype(np.float32)
    values[0, 0] = -1e9
    for own, theirs in zip(
        both(log_sum_exp, values), both(lambda x: paddle.logsumexp(x, axis=1), values), strict=True
    ):
        np.testing.assert_allclose(own, theirs, rtol=1e-4, atol=1e-5)
    weights = np.arange(30, dtype=np.float32)  # else a unit vector's length has no gradient
    for own, theirs in zip(
        both(lambda x: unit(x, True) * paddle.to_tensor(weights), values[1:]),
        both(lambda x: F.normalize(x, axis=-1) * paddle.to_tensor(weights), values[1:]),
        strict=True,
    ):
        np.testing.assert_allclose(own, theirs, rtol=1e-3, atol=1e-3)
    for training in (True, False):
        assert not unit(paddle.zeros([2, 4]), training).numpy().any()


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    layer = Dropout(0.25)
    ones = paddle.ones([500, 401])
    seed_everything(5)
    first = layer(ones).numpy()
    assert set(np.unique(first).tolist()) == {0.0, np.float32(4 / 3).item()}
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.005)
    assert first.mean() == pytest.approx(1.0, abs=0.01)
    seed_everything(5)
    np.testing.assert_array_equal(layer(ones).numpy(), first)
    assert not np.array_equal(layer(ones).numpy(), first)
    layer.eval()
    np.testing.assert_array_equal(layer(ones).numpy(), ones.numpy())
