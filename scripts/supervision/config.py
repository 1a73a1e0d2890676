"""The configuration files of supervisord and Nginx, made from the settings."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
import sys
from pathlib import Path
from string import Template

from scripts.console import CommandError
from scripts.supervision.parts import Part, local_host, nginx_dir
from services.settings import ROOT, Settings
from webapp.headers import SECURITY_HEADERS

_SOCKET_LIMIT = 100  # bytes; Linux allows 107, macOS 103, and supervisord appends to it while it binds
_LOG_BYTES, _LOG_BACKUPS = 10 * 1024 * 1024, 3
TEMPLATE = ROOT / "nginx" / "ecrs.conf"


class NginxTemplate(Template):
    """A template whose places are written @{name}: Nginx has its own use for $."""

    delimiter = "@"


def socket_path(state_dir: Path) -> Path:
    """Supervisord's socket. Raises CommandError when the folder's name is too long for one."""
    path = state_dir / "supervisor.sock"
    if len(os.fsencode(path)) > _SOCKET_LIMIT - len(".12345678"):
        raise CommandError(f"ECRS_STATE_DIR {state_dir} is too long for a socket: choose a shorter path")
    return path


def config_path(state_dir: Path) -> Path:
    """Supervisord's configuration file."""
    return state_dir / "supervisord.conf"


def pid_path(state_dir: Path) -> Path:
    """The file that holds supervisord's pid."""
    return state_dir / "supervisord.pid"


def log_path(state_dir: Path, name: str) -> Path:
    """The log file of a part, or of `supervisord`, `again` and `watchdog`."""
    return state_dir / "log" / f"{name}.log"


def restarts_path(state_dir: Path) -> Path:
    """The file in which the watchdog counts what it killed."""
    return state_dir / "watchdog.json"


def supervisord_conf(settings: Settings, parts: list[Part]) -> str:
    """The text of supervisord's configuration for the parts that run here.

    A part that ends too soon several times is FATAL to supervisord, which then leaves it alone; until then
    each wait is a second longer than the one before. `scripts.supervision.again` starts it afresh, so that
    whatever was in the way, the part is tried at least every five seconds, for ever. A part that hangs is
    killed by `scripts.supervision.watchdog`.
    """
    state = settings.state_dir
    sections = [_head(state), _listener(state), _watchdog(state)]
    sections += [_program(part, settings) for part in parts if part.command]
    return "\n".join(sections)


def served_release(state_dir: Path) -> str:
    """The release that PaddleServing was configured with, or nothing."""
    try:
        text = config_path(state_dir).read_text("utf-8")
    except FileNotFoundError:
        return ""
    found = re.search(r"--manifest '?.*?([^/]+)/manifest\.json", text)
    return found[1] if found else ""


def _head(state: Path) -> str:
    root = "user=root\n" if os.geteuid() == 0 else ""  # says that root is meant
    return f"""[unix_http_server]
file={_escape(socket_path(state))}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
{root}directory={_escape(ROOT)}
pidfile={_escape(pid_path(state))}
logfile={_escape(log_path(state, "supervisord"))}
logfile_maxbytes={_LOG_BYTES}
logfile_backups={_LOG_BACKUPS}
childlogdir={_escape(state / "log")}
minfds=4096
nocleanup=true
"""


def _listener(state: Path) -> str:
    command = (sys.executable, "-m", "scripts.supervision.again", str(socket_path(state)))
    return f"""[eventlistener:again]
command={_escape(shlex.join(command))}
events=PROCESS_STATE_FATAL
autostart=true
autorestart=true
startretries=1000000
stdout_logfile=NONE
stderr_logfile={_escape(log_path(state, "again"))}
stderr_logfile_maxbytes={_LOG_BYTES}
stderr_logfile_backups=1
"""


def _watchdog(state: Path) -> str:
    command = (sys.executable, "-m", "scripts.supervision.watchdog")
    return f"""[program:watchdog]
command={_escape(shlex.join(command))}
directory={_escape(ROOT)}
priority=999
autostart=true
autorestart=true
startretries=1000000
redirect_stderr=true
stdout_logfile={_escape(log_path(state, "watchdog"))}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups=1
"""


def _program(part: Part, settings: Settings) -> str:
    return f"""[program:{part.name}]
command={_escape(shlex.join(part.command))}
directory={_escape(ROOT)}
priority={100 + part.tier}
autostart=false
autorestart=true
startsecs=2
startretries=4
stopsignal=TERM
stopwaitsecs={part.stop_wait_s}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={_escape(log_path(settings.state_dir, part.name))}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups={_LOG_BACKUPS}
"""


def _escape(value: str | Path) -> str:
    """A value for supervisord's configuration, which expands %(…)s and cuts comments at ` ;` and ` #`."""
    text = str(value)
    if "\n" in text or " ;" in text or " #" in text:
        raise CommandError(f"{text!r}: a path may not hold a line break, ' ;' or ' #': choose another folder")
    return text.replace("%", "%%")


def nginx_conf(settings: Settings) -> str:
    """Nginx's configuration for the two front ends of this machine."""
    host = local_host(settings)
    return render_nginx(
        folder=nginx_dir(settings),
        user=_nginx_user(),
        listen=f"{settings.bind}:{settings.port('nginx')}",
        web1=f"{host}:{settings.port('web1')}",
        web2=f"{host}:{settings.port('web2')}",
        root=ROOT / "webapp",
    )


def render_nginx(*, folder: Path, user: str, listen: str, web1: str, web2: str, root: Path) -> str:
    """The template `nginx/ecrs.conf` with its places filled.

    Args:
        folder: for temporary files; user: a `user …;` line or nothing; listen, web1, web2: host:port.
        root: the folder that holds the front end's static/.
    """
    for path in (folder, root):
        if any(character in str(path) for character in '"$\\\n'):
            raise CommandError(f"{path}: Nginx cannot use a path with quotes, $ or \\: choose another folder")
    places = {
        "folder": folder,
        "user": user,
        "listen": listen,
        "web1": web1,
        "web2": web2,
        "root": root,
        "header_maps": "\n".join(map(_header_map, SECURITY_HEADERS)),
        "add_headers": "\n".join(
            f"        add_header {name} $ecrs_{_variable(name)} always;" for name in SECURITY_HEADERS
        ),
    }
    return NginxTemplate(TEMPLATE.read_text("utf-8")).substitute(places)


def _header_map(name: str) -> str:
    """Makes the variable with a header's value, empty where the front end has set the header."""
    variable = _variable(name)
    return (
        f'    map $upstream_http_{variable} $ecrs_{variable} {{ "" "{SECURITY_HEADERS[name]}"; default ""; }}'
    )


def _variable(header: str) -> str:
    """A header's name as Nginx spells it in variables."""
    return header.lower().replace("-", "_")


def _nginx_user() -> str:
    """Root's Nginx would work as `nobody`, who may not read the project; others may not name a user."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"
