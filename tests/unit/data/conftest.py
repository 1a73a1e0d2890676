"""Fixtures of the data package's tests: raw files, and the command run in process."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_files import JDATA, Prepared, Run

from data.prepare import main


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An empty folder for raw files."""
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("jdata", "--path", folder)`: the command with its output in a temporary folder."""

    def command(source: str, *args: object, name: str = "test") -> Prepared:
        out = tmp_path / "prepared"
        code = main([source, "--out", str(out), "--name", name, *map(str, args)])
        captured = capsys.readouterr()
        return Prepared(code, captured.out, captured.err, out / name)

    return command


@pytest.fixture
def jdata(raw: Path) -> Path:
    """The smallest JData that shows everything; tests spoil the files they are about."""
    for name, text in JDATA.items():
        (raw / name).write_text(text)
    return raw
