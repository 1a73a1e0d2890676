"""What an operator sees when something is wrong: one line, and a status other than 0."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from scripts import down, release, status, up
from scripts.console import CommandError, read_settings
from scripts.supervision import building
from scripts.supervision.leftovers import port_holder, port_is_free
from scripts.supervision.lock import only_one
from services.settings import Settings

pytestmark = pytest.mark.unit

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECRS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ECRS_PREPARED_DIR", str(tmp_path / "prepared"))
    monkeypatch.setenv("ECRS_ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    monkeypatch.setenv("ECRS_PORT_OFFSET", "31000")


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECRS_PORT_OFFSET", "many")

    assert up.main([]) == 1
    assert one_line(capsys).startswith("make up: ECRS_PORT_OFFSET: ")


def test_an_unknown_dataset_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECRS_DATASET", "nosuch")

    assert up.main([]) == 1
    assert "ECRS_DATASET=nosuch" in one_line(capsys)


def test_a_full_disk_is_told_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 10**12, 10**8))

    assert up.main([]) == 1
    assert "only 0.1 GB free" in one_line(capsys)


def test_two_commands_at_once_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with only_one(tmp_path / "state"):
        assert up.main([]) == 1
    assert "another make up, down or release" in one_line(capsys)


def test_down_without_anything_running_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert down.main([]) == 0
    assert "nothing was running" in capsys.readouterr().out


def test_status_fails_and_shows_every_part_when_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main([]) == 1
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("redis", "milvus", "user", "recommend", "web2", "stopped"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "no release of completejourney"),
        (["--rollback"], "no release was current before"),
        (["nosuch"], "Redis: "),  # the pointer is looked at first
    ],
)
def test_release_says_what_is_missing(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main(arguments) == 1
    assert expected in one_line(capsys)


def test_the_holder_of_a_port_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert not port_is_free("127.0.0.1", port)
        assert port_holder(port).startswith("pid ")
    assert port_is_free("127.0.0.1", port)


def test_the_release_of_the_dataset_is_served_even_when_another_one_is_current(tmp_path: Path) -> None:
    settings = read_settings().model_copy(update={"dataset": "shop"})
    for name in ("shop-20260101T000000Z", "shop-20260201T000000Z", "other-20260301T000000Z"):
        folder = tmp_path / "artifacts" / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    current = tmp_path / "artifacts" / "current"

    current.write_text("other-20260301T000000Z\n")
    assert building.pick_release(settings) == tmp_path / "artifacts" / "shop-20260201T000000Z"
    current.write_text("shop-20260101T000000Z\n")
    assert building.pick_release(settings) == tmp_path / "artifacts" / "shop-20260101T000000Z"


def test_a_release_of_an_older_version_is_passed_over_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, artifacts_dir=tmp_path, dataset="shop")
    older, damaged = tmp_path / "shop-20260201T000000Z", tmp_path / "shop-20260101T000000Z"
    for folder, text in ((older, '{"version": 1, "cross_buckets": 16}'), (damaged, "{")):
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
        (folder / "features.json").write_text(text)
    (tmp_path / "current").write_text(f"{older.name}\n")

    assert building.pick_release(settings) == damaged
    assert building.outdated(settings) == [older]
    shutil.rmtree(damaged)
    assert building.pick_release(settings) is None  # then one is trained


def test_prepared_data_is_current_when_complete(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, prepared_dir=tmp_path / "prepared", dataset="mine")
    folder = tmp_path / "prepared" / "mine"
    folder.mkdir(parents=True)
    assert not building.is_prepared(settings)

    for name in ("users.parquet", "items.parquet", "events.parquet", "dataset.toml", "report.json"):
        (folder / name).touch()

    assert building.is_prepared(settings)


def test_a_program_that_fails_is_an_error_of_one_line() -> None:
    with pytest.raises(CommandError, match="loading failed"):
        building.run("loading", Settings(_env_file=None), "scripts.no_such_program")
