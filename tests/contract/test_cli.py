"""The command-line client against the services."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from clients.python import cli
from tests.support.redis_server import free_port
from tests.support.served import served

pytestmark = pytest.mark.contract

LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")  # what this process's servers log, of any level

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def run(
    addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command; its exit status, lines of output and errors."""
    ports = {name: int(address.rpartition(":")[2]) for name, address in addresses.items()}
    monkeypatch.setattr(cli, "PORTS", ports)

    def call(*words: str) -> tuple[int, list[str], str]:
        capsys.readouterr()  # what the servers of this process have logged so far
        status = cli.main(words)
        out, err = capsys.readouterr()
        return status, [line for line in out.splitlines() if not LOGGED.match(line)], err

    return call


@pytest.mark.parametrize(
    ("words", "columns", "rows"),
    [
        (("as", "5"), "sku_id brand shopid cate rank_score", 50),
        (("as", "2", "1", "1", "1", "1", "1"), "sku_id brand shopid cate rank_score", 50),
        (("um", "5"), "user_id age sex city_level province city country", 1),
        (("cm", "i1,i2"), "sku_id brand shopid cate", 2),
        (("um", "5.0"), "user_id age sex city_level province city country", 1),
        (("cm", " i1,i2 "), "sku_id brand shopid cate", 2),
        (("recall", "5"), "nid score", 100),
        (("recall", "5", "--channel", "bought_again"), "nid score", 3),
        (("rank",), "nid score", 20),
        (("rank", "5", "--items", "i1,i2,i3"), "nid score", 3),
    ],
)
def test_the_originals_commands_print_a_table(
    run: Run, words: tuple[str, ...], columns: str, rows: int
) -> None:
    status, lines, _ = run(*words)
    assert status == 0
    assert lines[0].split() == columns.split()
    assert len(lines) == 1 + rows


def test_our_commands_show_titles_reasons_and_release(run: Run) -> None:
    status, lines, _ = run("recommend", "5", "--page-size", "7")
    assert status == 0
    assert len(lines) == 1 + 7 + 1
    assert "release tiny-20240101T000000Z" in lines[-1]
    assert "degraded by INDEX" in lines[-1]
    status, lines, _ = run("--json", "item", "i3")
    assert status == 0
    assert json.loads(lines[0])["title"] == "Item 3"
    assert set(json.loads(lines[0])) >= {"description", "url", "image_url", "variant_of"}
    status, lines, _ = run("similar", "i3", "--page-size", "3")
    assert status == 0
    assert "because_of_item: Item 3" in lines[1]


def test_lists_of_a_channel_and_a_search(run: Run) -> None:
    status, lines, _ = run("recommend", "5", "--channel", "trending", "--page-size", "2")
    assert status == 0
    assert all("trending" in line for line in lines[1:3])
    status, lines, _ = run("similar", "i3", "--channel", "two_tower", "--page-size", "2")
    assert status == 0
    assert all("two_tower" in line for line in lines[1:3])
    status, lines, _ = run("search", "nothing", "of", "the", "kind")
    assert status == 0
    assert lines[-1] == "0 in all"


def test_a_profile_or_a_session_is_enough(run: Run) -> None:
    assert run("recommend", "--profile", "age=2", "--profile", "sex=1")[0] == 0
    assert run("recommend", "--session", "i3,i4")[0] == 0


def test_an_event_is_recorded_and_json_is_one_object_a_row(run: Run) -> None:
    status, lines, _ = run("--json", "event", "cli-user", "click", "i3")
    assert (status, [json.loads(line) for line in lines]) == (0, [{"recorded": "1"}])


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("as", "1", "2"), "as: give one user id, or six values"),
        (("um", "404"), "code 500: there is no user '404'"),
        (("recall", "5", "--channel", "x"), "recall_type: 'x' is none of"),
        (("recommend",), "INVALID_ARGUMENT: user_id: one of"),
        (
            ("recommend", "5", "--page-size", "-1"),
            "INVALID_ARGUMENT: page_size: must not be negative, not -1",
        ),
        (("recommend", "--profile", "age"), "--profile age: write name=value"),
        (("similar", "no-such"), "NOT_FOUND"),
    ],
)
def test_errors_are_one_line_and_status_one(run: Run, words: tuple[str, ...], problem: str) -> None:
    status, _, errors = run(*words)
    assert status == 1
    own = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(own) == 1
    assert problem in own[0]


def test_a_service_that_is_away_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "PORTS", dict.fromkeys(cli.PORTS, free_port()))
    assert cli.main(("um", "5")) == 1
    assert capsys.readouterr().err.startswith("error: UNAVAILABLE: ")
