"""docker-compose.yml and the Dockerfile: valid by the specification, safe, and of one mind with the code."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from scripts import compose_nginx, probe
from services.settings import PORTS, ROOT, Settings

pytestmark = pytest.mark.unit

SERVICES = ("user", "item", "recall", "rank", "recommend")
OURS = ("release", "serving", *SERVICES, "web1", "web2")
ONCE = ("release", "milvus-volume")
HEALTH_KINDS = {"serving": "grpc", "web1": "http", "web2": "http", **dict.fromkeys(SERVICES, "grpc")}
SCHEMA = ROOT / "tests" / "support" / "compose_spec" / "compose-spec.json"
_PLACE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def compose(document: dict[str, Any]) -> dict[str, Any]:
    services: dict[str, Any] = document["services"]
    return services


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text("utf-8")


def words(command: list[str]) -> list[str]:
    return " ".join(command).split()


def filled(text: str, given: dict[str, str]) -> str:
    """A value as Compose fills it: the variable, else the default after `:-`."""
    return _PLACE.sub(lambda found: given.get(found[1]) or (found[3] if found[2] == "-" else ""), text)


def test_it_is_valid_by_the_compose_specification(document: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))

    assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []


def test_the_schema_would_notice_a_mistake(document: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    wrong = {**document, "services": {"redis": {"image": 7, "helthcheck": {}}}}

    assert list(Draft202012Validator(schema).iter_errors(wrong))


def test_every_setting_in_it_exists_and_is_accepted(compose: dict[str, Any]) -> None:
    given = {
        "ECRS_REDIS_PASSWORD": "p4ss",
        "ECRS_SECRET_KEY": "0" * 64,
        "ECRS_SERVICE_TOKEN": "1" * 64,
    }
    for name in OURS:
        environment = {key: filled(value, given) for key, value in compose[name]["environment"].items()}
        values: dict[str, Any] = {
            key.removeprefix("ECRS_").lower(): value for key, value in environment.items()
        }

        assert all(key.startswith("ECRS_") for key in environment)
        assert set(values) <= set(Settings.model_fields)
        settings = Settings(_env_file=None, **values)
        assert {one: settings.address(one) for one in SERVICES} == {
            one: f"{one}:{PORTS[one]}" for one in SERVICES
        }
        assert settings.exposure_problem(settings.bind) == ""
        assert settings.predictor() == f"serving://serving:{PORTS['serving']}"
        assert settings.redis() == f"redis://:p4ss@redis:{PORTS['redis']}/0"
        assert settings.milvus() == f"http://milvus:{PORTS['milvus']}"


def test_hosts_that_settings_name_are_services_that_can_be_reached(compose: dict[str, Any]) -> None:
    for name in OURS:
        hosts = re.findall(r"(?:^|//|@)([a-z]+):\d+", "\n".join(compose[name]["environment"].values()), re.M)
        for host in hosts:
            assert set(compose[host].get("networks", ["default"])) & set(compose[name]["networks"]), (
                name,
                host,
            )


def test_secrets_have_no_default(compose: dict[str, Any]) -> None:
    places = [
        found
        for service in compose.values()
        for value in service.get("environment", {}).values()
        for found in _PLACE.finditer(value)
    ]
    required = {found[1] for found in places if found[2] == "?"}
    closed_when_empty = {found[1] for found in places if found[2] == "-" and not found[3]}

    assert required == {"ECRS_REDIS_PASSWORD", "ECRS_SECRET_KEY", "ECRS_SERVICE_TOKEN"}
    assert closed_when_empty == {
        "ECRS_API_TOKEN",
        "ECRS_API_HOSTS",
        "ECRS_CONSOLE_PASSWORD",
        "ECRS_IMAGE_ORIGINS",
    }
    assert {found[1] for found in places} - required - closed_when_empty == {
        "ECRS_DATASET",
        "ECRS_TRAIN_CONFIG",
        "ECRS_DEMO_PERSONAS",
    }


def test_commands_are_modules_that_exist_on_the_ports_of_the_code(compose: dict[str, Any]) -> None:
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


def test_all_that_keeps_running_is_asked_for_its_health(compose: dict[str, Any]) -> None:
    assert {name for name, service in compose.items() if "healthcheck" not in service} == set(ONCE)
    for name, kind in HEALTH_KINDS.items():
        test = compose[name]["healthcheck"]["test"]
        assert test == ["CMD", "python", "-m", "scripts.probe", kind, f"127.0.0.1:{PORTS[name]}"]


def test_the_probe_says_why_a_part_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(["tcp", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err == "127.0.0.1:1: does not listen\n"


def test_nothing_that_stays_runs_as_root_or_can_become_it(compose: dict[str, Any], dockerfile: str) -> None:
    assert re.search(r"^USER (\d+):\d+$", dockerfile.rsplit("FROM ", maxsplit=1)[-1], re.M)
    for name, service in compose.items():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        if name not in (*OURS, *ONCE):
            assert int(service["user"].split(":")[0]) > 0, name


def test_images_are_pinned_and_the_last_stage_holds_no_tools(
    compose: dict[str, Any], dockerfile: str
) -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    version = re.search(r'^version = "(.+)"', project, re.M)
    assert version

    for service in compose.values():
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), service["image"]
    assert compose["user"]["image"] == f"ecrs:{version[1]}"
    stages = re.findall(r"^FROM python:3\.(\d+)\.\d+-slim-bookworm", dockerfile, re.M)
    assert len(stages) == 2
    assert len(set(stages)) == 1
    assert 10 <= int(stages[0]) < 13
    assert "make" not in dockerfile.rsplit("FROM ", maxsplit=1)[-1]


def test_the_image_copies_what_exists_and_all_that_commands_need(
    compose: dict[str, Any], dockerfile: str
) -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.M) for name in line.split()
    }
    assert all((ROOT / name).exists() for name in copied)
    for name in OURS:
        for module in re.findall(r"-m (\w+)", " ".join(compose[name]["command"])):
            assert module in copied


def test_volumes_are_mounted_where_the_settings_look(
    compose: dict[str, Any], document: dict[str, Any]
) -> None:
    settings = Settings(_env_file=None)
    mounted = {volume.split(":")[1] for volume in compose["user"]["volumes"]}
    used = {volume.split(":")[0] for service in compose.values() for volume in service.get("volumes", [])}

    folders = (settings.state_dir, settings.prepared_dir, settings.artifacts_dir)
    assert mounted == {f"/app/{folder.relative_to(ROOT)}" for folder in folders}
    assert {name for name in used if not name.startswith("./")} == set(document["volumes"])
    assert all((ROOT / name).exists() for name in used if name.startswith("./"))


def test_the_nginx_of_compose_is_the_template_filled() -> None:
    assert compose_nginx.FILE.read_text("utf-8") == compose_nginx.text()
