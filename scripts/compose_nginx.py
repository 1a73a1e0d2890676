"""`python -m scripts.compose_nginx`: write nginx/compose.conf, the template filled for docker-compose.yml."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.supervision.config import render_nginx
from services.settings import PORTS, ROOT

FILE = ROOT / "nginx" / "compose.conf"


def text() -> str:
    """The configuration in the image of Nginx: front ends by their service names."""
    return render_nginx(
        folder=Path("/tmp"),  # noqa: S108  # the container's own
        user="",  # the container is nobody's but Nginx's user
        listen=str(PORTS["nginx"]),
        web1=f"web1:{PORTS['web1']}",
        web2=f"web2:{PORTS['web2']}",
        root=Path("/usr/share/nginx/html"),  # webapp/static is mounted below
    )


def main() -> int:
    """The command."""
    FILE.write_text(text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
