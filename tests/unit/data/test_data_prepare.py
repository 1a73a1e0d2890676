"""The command: nothing half-written, nothing done twice, one line for every mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from data_files import JDATA, Run

from data.canonical import EVENTS
from data.errors import DataError
from data.prepare import main, prepare
from data.sources import SOURCES
from data.sources.base import Options, Progress
from data.writer import PreparedWriter, lock
from engine.dataset import Dataset

pytestmark = pytest.mark.unit


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_run_does_nothing_unless_forced_or_the_input_changed(jdata: Path, run: Run) -> None:
    first = run("jdata", "--path", jdata)
    assert first.code == 0
    before = (first.folder / "events.parquet").stat().st_mtime_ns
    again = run("jdata", "--path", jdata)
    assert again.code == 0
    assert "up to date" in " ".join(again.stdout.split())
    assert (first.folder / "events.parquet").stat().st_mtime_ns == before
    forced = run("jdata", "--path", jdata, "--force")
    assert "up to date" not in forced.stdout
    assert (first.folder / "events.parquet").stat().st_mtime_ns > before
    with (jdata / "jdata_action.csv").open("a") as file:
        file.write("2,2,2018-02-03 10:00:00,8,1\n")
    assert len(run("jdata", "--path", jdata).rows("events")) == 4


def test_too_many_bad_rows_stop_the_load_and_leave_the_old_data_untouched(jdata: Path, run: Run) -> None:
    old = run("jdata", "--path", jdata)
    before = contents(old.folder)
    (jdata / "jdata_action.csv").write_text(JDATA["jdata_action.csv"] + "1,1,yesterday,8,1\n")
    stopped = run("jdata", "--path", jdata)
    assert stopped.code == 2
    assert stopped.stderr.count("\n") == 1
    assert (
        f"{jdata / 'jdata_action.csv'}:5: 1 of 4 rows of events rejected (25.0%, allowed 1.0%)"
        in stopped.stderr
    )
    assert "bad action_time" in stopped.stderr
    kept = old.folder.parent / "test.rejects.csv"
    assert f"Rejected so far: {kept}\n" in stopped.stderr
    assert kept.read_text().endswith('5,bad action_time,"1,1,yesterday,8,1"\n')
    assert contents(old.folder) == before
    accepted = run("jdata", "--path", jdata, "--max-reject-rate", "0.25")
    assert accepted.code == 0
    assert accepted.rejects == [["jdata_action.csv", "5", "bad action_time", "1,1,yesterday,8,1"]]
    assert [path.name for path in old.folder.parent.iterdir() if path.name != ".test.lock"] == ["test"]


def test_a_file_of_only_bad_rows_stops_before_it_is_read_to_its_end(jdata: Path, run: Run) -> None:
    rows = "1,1,yesterday,8,1\n" * 50_000
    (jdata / "jdata_action.csv").write_text("user_id,sku_id,action_time,module_id,type\n" + rows)
    stopped = run("jdata", "--path", jdata)
    assert stopped.code == 2
    assert "20000 of 20000 rows" in stopped.stderr


class Interrupted:
    """A source that is interrupted half-way, as by Ctrl-C."""

    has_events = True

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def files(self) -> list[Path]:
        return []

    def describe(self) -> Dataset:
        return Dataset(name="test", title="Test", positive=("purchase",))

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        out.events({name: EVENTS.empty_table()[name] for name in EVENTS.names})
        raise self._error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), DataError("bad"), OSError(28, "No space left on device")]
)
def test_an_interruption_or_an_error_leaves_the_old_data_untouched(
    error: BaseException, jdata: Path, run: Run
) -> None:
    old = run("jdata", "--path", jdata)
    before = contents(old.folder)
    source = Interrupted(error)
    expected = DataError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        prepare(source, source.describe(), old.folder.parent, source_name="test")
    assert contents(old.folder) == before
    assert sorted(path.name for path in old.folder.parent.iterdir()) == [".test.lock", "test"]


def test_a_killed_run_leaves_the_old_data_and_the_next_run_succeeds(jdata: Path, run: Run) -> None:
    old = run("jdata", "--path", jdata)
    before = contents(old.folder)
    with (jdata / "jdata_action.csv").open("a") as file:
        file.writelines(f"1,2,2018-03-01 10:00:{n % 60:02},8,1\n" for n in range(400_000))
    command = [sys.executable, "-m", "data.prepare", "jdata", "--path", str(jdata), "--name", "test"]
    child = subprocess.Popen([*command, "--out", str(old.folder.parent)], cwd=Path(__file__).parents[3])
    work = old.folder.parent / ".test.tmp"
    deadline = time.monotonic() + 30
    while not work.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert work.exists()
    assert contents(old.folder) == before
    assert len(run("jdata", "--path", jdata).rows("events")) == 400_003
    assert not work.exists()


def test_an_interrupted_run_keeps_its_rejects_and_says_where(jdata: Path, run: Run) -> None:
    old = run("jdata", "--path", jdata)
    before = contents(old.folder)
    with (jdata / "jdata_action.csv").open("a") as file:
        file.write("1,2,yesterday,8,1\n")
        file.writelines(f"1,2,2018-03-01 10:00:{n % 60:02},8,1\n" for n in range(600_000))
    command = [sys.executable, "-m", "data.prepare", "jdata", "--path", str(jdata), "--name", "test"]
    child = subprocess.Popen(
        [*command, "--out", str(old.folder.parent)],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        text=True,
    )
    work = old.folder.parent / ".test.tmp"
    deadline = time.monotonic() + 60
    while not any(work.glob("runs/*")) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    kept = old.folder.parent / "test.rejects.csv"
    assert (child.returncode, told) == (
        130,
        f"interrupted; nothing was replaced. Rejected so far: {kept}\n",
    )
    assert kept.read_text().endswith('5,bad action_time,"1,2,yesterday,8,1"\n')
    assert contents(old.folder) == before
    assert not work.exists()
    assert run("jdata", "--path", jdata).code == 0
    assert not kept.exists()


def test_a_run_killed_between_the_two_renames_is_completed_by_the_next(jdata: Path, run: Run) -> None:
    old = run("jdata", "--path", jdata)
    old.folder.rename(old.folder.parent / ".test.old")
    again = run("jdata", "--path", jdata)
    assert "up to date" in " ".join(again.stdout.split())
    assert len(again.rows("events")) == 3


def test_two_runs_of_one_dataset_do_not_mix(jdata: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "prepared").mkdir()
    with lock(tmp_path / "prepared" / "test"):
        second = run("jdata", "--path", jdata)
    assert second.code == 2
    assert "another run is preparing this dataset" in second.stderr


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_missing_raw_files_are_told_in_one_line(source: str, raw: Path, run: Run) -> None:
    arguments = ["--path", raw]
    if source == "mapping":
        arguments += ["--mapping", raw / "none.toml"]
    result = run(source, *arguments)
    assert result.code == 2
    assert result.stderr.startswith(f"error: {raw}")
    assert result.stderr.count("\n") == 1
    assert not result.folder.exists()


@pytest.mark.parametrize("source", sorted(set(SOURCES) - {"completejourney"}))
def test_a_source_without_its_arguments_says_which(source: str, run: Run) -> None:
    result = run(source)
    assert result.code == 2
    assert ("--mapping" if source == "mapping" else "--path") in result.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ["nothing"],
        ["jdata", "--max-reject-rate", "2"],
        ["jdata", "--max-reject-rate", "x"],
        ["jdata", "--name", "A b"],
        [],
    ],
)
def test_wrong_usage_exits_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_output_folder_that_is_a_file_is_told(
    jdata: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["jdata", "--path", str(jdata), "--out", str(tmp_path / "file" / "x")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_options_of_a_source_are_not_read_before_they_are_needed() -> None:
    for make in SOURCES.values():
        assert make(Options(path=Path("does-not-exist"))).has_events in (True, False)
