"""Records of decisions have one form, and whatever refers to one names one that there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from services.settings import ROOT

pytestmark = pytest.mark.unit

RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))
NUMBERS = {record.name[:4] for record in RECORDS}
STATUS = r"Status: (?:accepted|superseded by docs/adr/\d{4})[^\n]*"
HEAD = re.compile(rf"# [^\d#\s][^\n]*\n\n{STATUS}\n\n## Context\n")
REFERENCE = re.compile(r"(?:docs/adr/|\bADR )(\d{4})")
FILE = re.compile(r"`((?:engine|services|models|webapp|scripts|data|bench|docs|protos|tests)/[\w/.-]+\.\w+)`")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_a_status_and_the_parts_of_a_decision(record: Path) -> None:
    text = record.read_text("utf-8")
    assert HEAD.match(text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_every_number_is_one_record() -> None:
    assert len(NUMBERS) == len(RECORDS) > 50


def test_what_refers_to_a_record_names_one_that_there_is() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    named: dict[str, str] = {}
    for name in listed.stdout.split("\0"):
        if name.endswith((".py", ".md", ".toml", ".proto", ".html", ".css", ".js", ".conf", "Makefile")):
            file = ROOT / name
            if file.exists():
                named |= dict.fromkeys(REFERENCE.findall(file.read_text("utf-8")), name)
    assert len(named) > 20
    assert {number: name for number, name in named.items() if number not in NUMBERS} == {}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_the_files_that_a_record_names_are_there(record: Path) -> None:
    named = FILE.findall(record.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
