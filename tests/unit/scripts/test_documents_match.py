"""Pages and files that repeat what the code says must say the same."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from scripts import configuration
from services.settings import ROOT, Settings

pytestmark = pytest.mark.unit


def test_the_settings_page_is_current() -> None:
    assert configuration.PAGE.read_text("utf-8") == configuration.page()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_make_help_lists_the_commands_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert {"up", "down", "status", "test", "lint", "protos", "train", "release", "bench"} <= named


def test_the_licence_is_the_one_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert Path(ROOT / "CHANGELOG.md").read_text("utf-8").count("## [Unreleased]") == 1


def test_every_line_of_the_troubleshooting_page_is_in_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    files = [ROOT / "Makefile", ROOT / "docker-compose.yml"]
    for folder in ("scripts", "services", "engine", "models", "data", "webapp"):
        files += (ROOT / folder).rglob("*.py")
    code = "\n".join(file.read_text("utf-8") for file in files)
    lines = re.findall(r"^\| (?:\d+ )?`(.+?)` \|", page, re.MULTILINE)

    assert len(lines) > 20
    for line in lines:
        for part in line.split("…"):
            assert part.strip() in code, f"{part!r} of {line!r} is said nowhere"


def test_links_and_pictures_of_the_documents_exist_and_are_small() -> None:
    pages = [ROOT / "README.md", ROOT / "data" / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    for picture in (ROOT / "docs" / "img").iterdir():
        assert picture.stat().st_size <= 200_000, picture.name
