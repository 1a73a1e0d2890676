"""Only what trains changes the process: Paddle's libgomp, matrix kernels and warnings."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from models.training import process

pytestmark = pytest.mark.unit

# What is read of ``models`` without training, and what the web tier and the data preparation import.
WITHOUT_PADDLE = (
    "models",
    "models.training.config",
    "models.training.dataset",
    "models.training.channels",
    "models.evaluation.measures",
    "models.evaluation.command",
    "data.prepare",
    "services.item.service",
    "webapp.photos",
)


def test_the_environment_carries_a_copy_of_libgomp_that_can_be_loaded() -> None:
    library = process.bundled_libgomp()

    assert library is not None
    assert ctypes.CDLL(str(library)).omp_get_max_threads() >= 1


def test_providing_it_twice_is_no_error() -> None:
    process.provide_libgomp()
    process.provide_libgomp()

    assert ctypes.CDLL("libgomp.so.1").omp_get_max_threads() >= 1


CHANGES = """
import importlib, json, os, sys, warnings
from pathlib import Path
prepared = []
import models.training.process as process
process.prepare_for_paddle = lambda: prepared.append(1)
environment = dict(os.environ)
for name in sys.argv[1:]:
    importlib.import_module(name)
ours = [entry for entry in warnings.filters if entry[1] is not None and "ccache" in entry[1].pattern]
sys.exit(bool(prepared or ours or "paddle" in sys.modules or dict(os.environ) != environment))
"""


def test_importing_what_does_not_train_leaves_the_process_as_it_was() -> None:
    assert run(*WITHOUT_PADDLE).returncode == 0


def test_whoever_imports_a_network_prepares_the_process_first() -> None:
    """The check above would see it."""
    assert run("models.registry").returncode == 1


def run(*modules: str) -> subprocess.CompletedProcess[bytes]:
    root = Path(process.__file__).parents[2]
    return subprocess.run([sys.executable, "-c", CHANGES, *modules], cwd=root, check=False)
