"""The 2022 system's names are translated at one place, and stop there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
NAMES = re.compile(r"\b(?:sku_id|shopid|cate|nid)\b")
FOLDERS = ("engine", "services", "models", "webapp", "scripts")
TRANSLATED = {Path("engine/records.py")}


def test_names_of_the_2022_system_are_used_where_it_is_spoken_to_only() -> None:
    sources = [file.relative_to(ROOT) for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 200
    found = {file for file in sources if NAMES.search((ROOT / file).read_text("utf-8"))}
    assert found >= TRANSLATED
    assert {file.parent for file in found - TRANSLATED} == {Path("services/original")}
