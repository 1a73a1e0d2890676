"""The original's product_vectors.txt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts import to_milvus
from scripts.console import CommandError
from scripts.vectors_file import read_vectors

pytestmark = pytest.mark.unit


def write(folder: Path, text: str) -> Path:
    path = folder / "product_vectors.txt"
    path.write_text(text)
    return path


def test_vectors_are_read_in_order_and_scaled_to_length_one(tmp_path: Path) -> None:
    ids, values = read_vectors(write(tmp_path, "7:[3.0,4.0]\n\n12: [0, -2]\n"))

    assert ids == ["7", "12"]
    np.testing.assert_allclose(values, [[0.6, 0.8], [0.0, -1.0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:[1,2]\n2:[1,x]\n", "product_vectors.txt:2: not all of its values are numbers"),
        ("1:[1,2]\n2:[1]\n", "product_vectors.txt:2: 1 numbers instead of 2"),
        ("1:[1,2]\n1:[2,1]\n", "product_vectors.txt:2: the id '1' was already in line 1"),
        ("1:[0,0]\n", "product_vectors.txt:1: a vector of length zero"),
        ("1:[nan,0]\n", "product_vectors.txt:1: a vector of length zero, or not finite"),
        ("[1,2]\n", "product_vectors.txt:1: not of the form"),
        ("1:[]\n", "product_vectors.txt:1: not all"),
        ("", "product_vectors.txt: no vectors in it"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(CommandError) as error:
        read_vectors(write(tmp_path, text))
    assert expected in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CommandError, match="cannot be read"):
        read_vectors(path)


def test_a_dry_run_says_what_would_be_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "7:[3.0,4.0]\n12:[0,-2]\n")

    assert to_milvus.main(["--vectors", str(path), "--uri", "http://127.0.0.1:1", "--dry-run"]) == 0
    assert "2 vectors of 2 numbers would become items_product_vectors" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--release", "nosuch"], ["--vectors", "nosuch.txt"]])
def test_bad_input_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert to_milvus.main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_milvus_that_is_away_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "7:[3.0,4.0]\n")

    assert to_milvus.main(["--vectors", str(path), "--uri", "http://127.0.0.1:1"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("to_milvus: ")
    assert error.count("\n") == 1
