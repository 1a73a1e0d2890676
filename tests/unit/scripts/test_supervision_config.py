"""The configuration files of supervisord and Nginx."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.console import CommandError
from scripts.supervision.config import (
    config_path,
    nginx_conf,
    render_nginx,
    served_release,
    socket_path,
    supervisord_conf,
)
from scripts.supervision.parts import nginx_dir, nginx_program, parts
from services.settings import Settings

pytestmark = pytest.mark.unit


def parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return parser


def test_each_part_that_runs_here_is_a_program_that_is_always_restarted(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path, redis_url="redis://elsewhere:6379/0")
    conf = parsed(supervisord_conf(settings, parts(settings, tmp_path / "r")))

    programs = [name for name in conf.sections() if name.startswith("program:")]
    assert "program:redis" not in programs
    assert "program:serving" in programs
    for name in programs:
        assert conf[name]["autorestart"] == "true"
        if name != "program:watchdog":
            assert conf[name]["killasgroup"] == conf[name]["stopasgroup"] == "true"
    assert conf["eventlistener:again"]["events"] == "PROCESS_STATE_FATAL"
    assert conf["program:watchdog"]["autostart"] == conf["program:watchdog"]["autorestart"] == "true"


def test_percent_signs_and_spaces_of_a_path_reach_the_program(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path / "100% mine")
    conf = parsed(supervisord_conf(settings, parts(settings, None)))

    assert "'" + str(tmp_path / "100%% mine" / "redis") + "'" in conf["program:redis"]["command"]


def test_a_path_that_supervisord_would_cut_is_refused(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path / "a ;b")

    with pytest.raises(CommandError, match="choose another folder"):
        supervisord_conf(settings, parts(settings, None))


def test_a_state_folder_too_long_for_a_socket_is_refused() -> None:
    with pytest.raises(CommandError, match="too long for a socket"):
        socket_path(Path("/" + "x" * 100))


def test_the_configured_release_is_read_back(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path)
    assert served_release(tmp_path) == ""
    release = tmp_path / "shop-20260101T000000Z"
    config_path(tmp_path).write_text(supervisord_conf(settings, parts(settings, release)))

    assert served_release(tmp_path) == release.name


def test_nginx_listens_on_loopback_before_both_front_ends_and_passes_the_request_id(tmp_path: Path) -> None:
    text = nginx_conf(Settings(_env_file=None, state_dir=tmp_path, port_offset=100))

    assert "listen 127.0.0.1:5258;" in text
    assert "server 127.0.0.1:5100 max_conns=32 max_fails=" in text
    assert "server 127.0.0.1:5101 max_conns=32 max_fails=" in text
    assert "proxy_set_header X-Request-ID $ecrs_request_id;" in text
    assert "@{" not in text


def test_a_folder_that_nginx_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="choose another folder"):
        render_nginx(
            folder=tmp_path / "a$b", user="", listen="127.0.0.1:1", web1="a:1", web2="a:2", root=tmp_path
        )


@pytest.mark.skipif(nginx_program() is None, reason="Nginx is not installed")
@pytest.mark.parametrize("name", ["state", "with a space"])
def test_nginx_accepts_its_configuration(tmp_path: Path, name: str) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path / name)
    folder = nginx_dir(settings)
    folder.mkdir(parents=True)
    (folder / "nginx.conf").write_text(nginx_conf(settings))
    program = nginx_program()
    assert program is not None

    done = subprocess.run(
        [program, "-t", "-p", str(folder), "-c", str(folder / "nginx.conf")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    shutil.rmtree(folder)
