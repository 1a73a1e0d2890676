"""The process of one web front end: gevent's WSGI server around the application."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import gevent
import structlog
from flask import Flask
from gevent.pywsgi import WSGIHandler, WSGIServer
from pydantic import ValidationError

from services.bootstrap import web_clients
from services.common import log as logs
from services.settings import Settings
from webapp import console, create_app
from webapp.signing_key import SigningKeyError

STOP_S = 5  # how long running requests may take to finish after SIGTERM
log = structlog.get_logger("webapp")


class OneWriteHandler(WSGIHandler):  # type: ignore[misc]  # gevent has no type hints
    """Writes an answer's headers and body at once.

    Apart, a front end that dies between the two leaves Nginx with an answer that it can neither finish nor
    ask of the other front end.
    """

    _held: bytearray | None = None

    def _write_with_headers(self, data: bytes) -> None:
        self._held = bytearray()
        super()._write_with_headers(data)
        held, self._held = self._held, None
        super()._sendall(held)

    def _sendall(self, data: bytes) -> None:
        if self._held is None:
            super()._sendall(data)
        else:
            self._held += data


class FrontEndServer(WSGIServer):  # type: ignore[misc]
    """gevent's WSGI server with TCP_NODELAY on its connections.

    What follows an answer's first write on a connection that is kept alive would wait for its delayed
    acknowledgement: 40 ms.
    """

    def __init__(self, app: Flask, host: str, port: int) -> None:
        # Requests are logged by webapp.hooks.
        super().__init__((host, port), app, log=None, handler_class=OneWriteHandler)

    def handle(self, sock: socket.socket, address: Any) -> None:
        """Serve the requests of one connection."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(sock, address)


def serve(app: Flask, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests finish. Raises OSError: the port is taken."""
    server = FrontEndServer(app, host, port)
    server.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, lambda: gevent.spawn(server.stop, STOP_S))
    log.info("web.started", host=host, port=server.server_port)
    server.serve_forever()
    log.info("web.stopped")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `python -m webapp`; the exit status: 1 for a mistake, which is told on the terminal."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = "ECRS_" + "_".join(str(part) for part in first["loc"]).upper()
        return _fail(f"{variable}: {first['msg']}")
    parser = argparse.ArgumentParser(prog="python -m webapp", description="One web front end of the shop.")
    parser.add_argument(
        "--bind", default=settings.bind, help="address to listen on (ECRS_BIND, now %(default)s)"
    )
    parser.add_argument("--port", type=int, default=settings.port("web1"), help="port (now %(default)s)")
    options = parser.parse_args(argv)
    logs.configure(settings.log_level, settings.log_format, service="web")
    with web_clients(settings) as services:
        try:
            # What is asked of visitors depends on the address that is really listened on.
            app = create_app(settings.model_copy(update={"bind": options.bind}), services)
            figures = console.publisher(app).open()
            try:
                serve(app, options.bind, options.port)
            finally:
                figures.close()
        except SigningKeyError as error:
            return _fail(str(error))
        except (OSError, OverflowError) as error:  # the port is taken, not ours to open, or no port at all
            return _fail(f"cannot listen on {options.bind}:{options.port}: {error}")
    return 0


def _fail(problem: str) -> int:
    sys.stderr.write(f"error: {problem}\n")
    return 1
