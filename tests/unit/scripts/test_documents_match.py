"""Pages and files that repeat what the code says must say the same."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from scripts import compose_nginx, configuration
from services.settings import PORTS, ROOT, Settings

pytestmark = pytest.mark.unit

OURS = ("release", "serving", "user", "item", "recall", "rank", "recommend", "web1", "web2")


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded["services"]


def words(command: list[str]) -> list[str]:
    return " ".join(command).split()


def test_the_settings_page_is_current() -> None:
    assert configuration.PAGE.read_text("utf-8") == configuration.page()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_compose_sets_only_settings_that_exist_and_that_are_accepted(compose: dict[str, Any]) -> None:
    environment = compose["user"]["environment"]
    values = {name.removeprefix("ECRS_").lower(): value for name, value in environment.items()}
    values["dataset"] = "completejourney"  # the default of its ${…:-…}

    assert set(values) <= set(Settings.model_fields)
    settings = Settings(_env_file=None, **values)
    for name in ("user", "item", "recall", "rank", "recommend"):
        assert settings.address(name) == f"{name}:{PORTS[name]}"
    assert settings.predictor() == f"serving://serving:{PORTS['serving']}"
    assert settings.redis() == f"redis://redis:{PORTS['redis']}/0"
    assert settings.milvus() == f"http://milvus:{PORTS['milvus']}"


def test_compose_starts_modules_that_exist_on_the_ports_of_the_code(compose: dict[str, Any]) -> None:
    for name in OURS:
        command = words(compose[name]["command"])
        modules = [command[place + 1] for place, word in enumerate(command) if word == "-m"]
        assert modules
        assert all(find_spec(module.rstrip(";")) for module in modules)
        if "--port" in command:
            assert int(command[command.index("--port") + 1]) == PORTS[name]
        for published in compose[name].get("ports", []):
            assert published == f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"
    assert compose["nginx"]["ports"] == [f"127.0.0.1:{PORTS['nginx']}:{PORTS['nginx']}"]


def test_the_nginx_of_compose_is_the_template_filled() -> None:
    assert compose_nginx.FILE.read_text("utf-8") == compose_nginx.text()


def test_the_image_has_a_python_we_support_and_copies_what_exists() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    version = re.search(r"^FROM python:3\.(\d+)-", text, re.MULTILINE)

    assert version is not None
    assert 10 <= int(version[1]) < 13
    for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split())


def test_make_help_lists_the_commands_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert {"up", "down", "status", "test", "lint", "protos", "train", "release", "bench"} <= named


def test_the_licence_is_the_one_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert Path(ROOT / "CHANGELOG.md").read_text("utf-8").count("## [Unreleased]") == 1
