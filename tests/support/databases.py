"""Real database servers for tests, from Debian's packages: a data folder and a port of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PASSWORD = "s3cret-pass"
_START_SECONDS = 60
MARIADBD = "/usr/sbin/mariadbd"


def postgresql_programs() -> Path | None:
    """The folder with initdb and pg_ctl of the newest PostgreSQL, which is not on PATH; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def postgresql(programs: Path) -> Iterator[str]:
    """A new PostgreSQL server on a free port of this machine; its URL."""
    with _folder("postgres") as (folder, user):
        data, password = folder / "data", folder / "password"
        password.write_text(PASSWORD)
        _own(user, password)
        init = [programs / "initdb", "-D", data, "-U", "shop", "-A", "scram-sha-256", "-E", "UTF8"]
        _run([*init, "--no-locale", "--pwfile", password, "--no-sync"], user)
        port = _free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w", "-t", str(_START_SECONDS)]
        _run([*control, "-l", folder / "log", "-o", options, "start"], user)
        try:
            yield f"postgresql://shop:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"], user)


@contextmanager
def _folder(name: str) -> Iterator[tuple[Path, pwd.struct_passwd | None]]:
    """A new folder, and the user to run as: servers refuse root. None: as ourselves.

    Not below pytest's folders, which only their owner may enter.
    """
    user = None
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            user = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="ecrs-test-") as folder:
        _own(user, Path(folder))
        yield Path(folder), user


def _own(user: pwd.struct_passwd | None, *paths: Path) -> None:
    if user is not None:
        for path in paths:
            shutil.chown(path, user.pw_uid, user.pw_gid)


def _run(command: Sequence[str | Path], user: pwd.struct_passwd | None) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would be held open by the server
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=2 * _START_SECONDS,
        cwd="/",
        **_as(user),  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command[0]} ended with status {done.returncode}"


def _as(user: pwd.struct_passwd | None) -> dict[str, object]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended with status {server.returncode}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError(f"no server on port {port} after {_START_SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mariadb() -> Iterator[str]:
    """A new MariaDB server on a free port of this machine; the URL of its database `shop`."""
    with _folder("mysql") as (folder, user):
        data, script = folder / "data", folder / "init.sql"
        script.write_text(
            f"CREATE DATABASE shop CHARACTER SET utf8mb4;\n"
            f"CREATE USER shop@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON shop.* TO shop@'127.0.0.1';\n"
        )
        data.mkdir()
        _own(user, script, data)
        _run(["mariadb-install-db", "--no-defaults", f"--datadir={data}"], user)
        port = _free_port()
        files = (f"--datadir={data}", f"--socket={folder}/s", f"--pid-file={folder}/pid")
        server = subprocess.Popen(
            [
                *(MARIADBD, "--no-defaults", *files, f"--log-error={folder}/log", f"--port={port}"),
                *("--bind-address=127.0.0.1", f"--init-file={script}", "--skip-name-resolve"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_as(user),  # type: ignore[call-overload]
        )
        try:
            _wait_for(port, server)
            yield f"mysql://shop:{PASSWORD}@127.0.0.1:{port}/shop"
        finally:
            server.kill()
            server.wait()
