"""The command dispatches by its table; a fault is one line, whatever the protocol."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from types import ModuleType

import pytest
from rich.console import Console

from models.evaluation.command import ENTRIES, Entry, main
from models.evaluation.errors import ProtocolError

pytestmark = pytest.mark.unit


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> list[Namespace]:
    """A protocol of this test; what it was asked is put into the list."""
    asked: list[Namespace] = []
    module = ModuleType("toy_protocol")

    def arguments(parser: ArgumentParser) -> None:
        parser.add_argument("--path", required=True)

    def run(options: Namespace, console: Console) -> int:
        asked.append(options)
        if options.path == "nowhere":
            raise ProtocolError("nowhere: is no folder: name another")
        return 3

    module.__dict__.update(arguments=arguments, run=run)
    monkeypatch.setitem(sys.modules, "toy_protocol", module)
    monkeypatch.setitem(ENTRIES, "toy", Entry("toy_protocol", "for this test"))
    return asked


def test_a_protocol_gets_its_options_and_the_common_ones(toy: list[Namespace]) -> None:
    assert main(["toy", "--path", "here", "--seed", "9", "--on", "validation"]) == 3
    assert (toy[0].protocol, toy[0].path, toy[0].seed, toy[0].on) == ("toy", "here", 9, "validation")
    assert toy[0].out is None


def test_a_fault_is_one_line(toy: list[Namespace], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toy", "--path", "nowhere"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "nowhere: is no folder" in said


def test_the_help_lists_every_protocol_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ENTRIES)


@pytest.mark.parametrize("name", list(ENTRIES))
def test_every_entry_has_options_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"models.evaluate {name}" in capsys.readouterr().out


def test_the_help_of_retail_lists_its_methods(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["retail", "--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in ("pipeline-page", "tifu-knn", "--seed", "--on"))
