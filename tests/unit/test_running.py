"""The state folder remembers the copy that runs from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clients.python import cli
from scripts import down, release, status
from scripts.console import of_this_copy, read_settings
from services.running import FILE_NAME, OtherCopyError, as_running, forget, remember, running_settings
from services.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # no .env of the project
    monkeypatch.setenv("ECRS_STATE_DIR", str(tmp_path))
    return tmp_path


def start(state: Path, **given: Any) -> Settings:
    settings = Settings(_env_file=None, state_dir=state, **given)
    remember(settings)
    return settings


def test_what_the_environment_does_not_say_is_as_the_copy_has_it(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start(
        state,
        port_offset=900,
        dataset="mine",
        prepared_dir=state / "p",
        redis_url="redis://there:1/0",
        threads=7,
    )
    monkeypatch.setenv("ECRS_THREADS", "5")

    found = running_settings()

    assert found.redis() == started.redis() == "redis://there:1/0"
    assert found.address("recommend") == "127.0.0.1:9830"
    assert (found.dataset, found.prepared_dir, found.threads) == ("mine", state / "p", 5)


def test_only_what_makes_a_copy_this_one_is_said_again_by_make_up(state: Path) -> None:
    start(state, port_offset=900, dataset="mine", bind="0.0.0.0", trust_network=True)  # noqa: S104

    again = read_settings(of_this_copy)

    assert (again.port_offset, again.dataset) == (900, "mine")
    assert (again.bind, again.trust_network) == ("127.0.0.1", False)


def test_a_contradiction_is_one_line_that_names_both(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(state, port_offset=900)
    monkeypatch.setenv("ECRS_PORT_OFFSET", "1000")

    said = f"is 1000 in the environment or .env, but 900 for the copy that make up started in {state}: leave"
    for command in (status.main, release.main, lambda _: cli.main(["um", "1"])):
        assert command([]) == 1
        told = capsys.readouterr().err
        assert f"ECRS_PORT_OFFSET {said}" in told
        assert told.count("\n") == 1
    assert down.main([]) == 0  # whatever the environment says: it ends what runs from this folder


def test_folders_agree_however_they_are_written(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(state, artifacts_dir=state / "releases")
    monkeypatch.setenv("ECRS_ARTIFACTS_DIR", "releases")

    assert running_settings().artifacts_dir == Path("releases")


def test_no_secret_is_written_or_told(state: Path) -> None:
    start(state, redis_url="redis://me:hunter22@there:1/0", api_token="sesame-sesame-sesame")

    file = state / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert "sesame" not in file.read_text()
    with pytest.raises(OtherCopyError) as told:
        as_running(Settings(_env_file=None, state_dir=state, redis_url="redis://other:1/0"))
    assert "hunter22" not in str(told.value)
    assert "redis://…@there:1/0" in str(told.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"unknown": 1}'])
def test_a_file_that_says_nothing_is_as_none(state: Path, text: str) -> None:
    (state / FILE_NAME).write_text(text)

    assert running_settings().port_offset == 0


def test_after_the_stop_the_environment_alone_counts(state: Path) -> None:
    start(state, port_offset=900)

    forget(state)

    assert running_settings().port_offset == 0
