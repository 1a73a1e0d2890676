"""The process of one web front end: gevent's WSGI server around the application."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

import gevent
import structlog
from flask import Flask
from gevent.pywsgi import WSGIServer
from services.bootstrap import web_clients

from services.settings import Settings
from webapp import create_app
from webapp.signing_key import SigningKeyError

STOP_S = 10  # how long running requests may take to finish after SIGTERM
log = structlog.get_logger("webapp")


def serve(app: Flask, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests finish. Raises OSError: the port is taken."""
    server = WSGIServer((host, port), app, log=None)  # requests are logged by webapp.hooks
    server.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, lambda: gevent.spawn(server.stop, STOP_S))
    log.info("web.started", host=host, port=server.server_port)
    server.serve_forever()
    log.info("web.stopped")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `python -m webapp`; the exit status."""
    settings = Settings()
    parser = argparse.ArgumentParser(prog="python -m webapp", description="One web front end of the shop.")
    parser.add_argument("--host", default=settings.bind, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=settings.port("web1"), help="port (%(default)s)")
    options = parser.parse_args(argv)
    with web_clients(settings) as services:
        try:
            serve(create_app(settings, services), options.host, options.port)
        except SigningKeyError as error:
            print(error, file=sys.stderr)  # noqa: T201 - a mistake in the settings is told on the terminal
            return 2
        except OSError as error:
            print(f"{options.host}:{options.port}: cannot listen: {error.strerror}", file=sys.stderr)  # noqa: T201
            return 2
    return 0
