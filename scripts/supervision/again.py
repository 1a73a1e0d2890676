"""`python -m scripts.supervision.again SOCKET`: start again what supervisord gave up on.

An event listener of supervisord (see its documentation): it reads events on stdin and answers on stdout.
Supervisord gives up on a program that fails to start several times; a shop must come back once the
cause is gone.
"""

from __future__ import annotations

import sys
import xmlrpc.client

from supervisor import childutils
from supervisor.xmlrpc import SupervisorTransport


def main(argv: list[str]) -> int:
    """Answer events until supervisord closes stdin."""
    (socket,) = argv
    proxy = xmlrpc.client.ServerProxy("http://localhost", SupervisorTransport(None, None, f"unix://{socket}"))
    while True:
        childutils.listener.ready(sys.stdout)
        line = sys.stdin.readline()
        if not line:
            return 0
        headers = childutils.get_headers(line)
        event = childutils.get_headers(sys.stdin.read(int(headers["len"])))
        _start(proxy, event["processname"])
        childutils.listener.ok(sys.stdout)


def _start(proxy: xmlrpc.client.ServerProxy, name: str) -> None:
    sys.stderr.write(f"{name} failed to start several times; trying again\n")
    sys.stderr.flush()
    try:
        proxy.supervisor.startProcess(name, False)
    except (xmlrpc.client.Fault, OSError) as error:  # it was started, removed or stopped meanwhile
        sys.stderr.write(f"{name}: {error}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
