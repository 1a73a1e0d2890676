"""`python -m services.rank.serving`: the ranker of one release behind PaddleServing, on loopback."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

from models.training.process import provide_libgomp
from services.common.process import die_with_parent, own_session, wait_for_free_port
from services.rank.serving import compat
from services.rank.serving.manifest import BadManifest, RankManifest, read_manifest

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM; returns the exit status. Every failure is one line on stderr."""
    options = _parse(argv)
    provide_libgomp()
    own_session()  # PaddleServing kills its process group when it fails; ours must hold nobody else
    die_with_parent()
    if not wait_for_free_port(options.host, options.port, wait_s=2.0):
        return _fail(f"port {options.port} on {options.host} is in use: free it or choose another --port")
    try:
        manifest = read_manifest(options.manifest)
        compat.install(compat.wheels_folder())
    except (BadManifest, compat.WheelsMissing) as error:
        return _fail(str(error))
    return _serve(manifest, options)


def _serve(manifest: RankManifest, options: argparse.Namespace) -> int:
    """Import PaddleServing and run it; apart from `main` because the imports take seconds and can fail."""
    # At import it starts log files of every step of every request in its working directory, unless told
    # where else, and a list of processes for its own command line. Both go to a folder that is soon removed.
    with tempfile.TemporaryDirectory(prefix="paddle-serving-") as scratch:
        warnings.filterwarnings(
            "ignore", message="No ccache found"
        )  # Paddle's advice to those who compile it
        os.environ.update(SERVING_LOG_PATH=scratch, SERVING_HOME=scratch)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints progress nobody asked for
            from services.rank.serving.predictor import BadModel  # noqa: PLC0415  # needs compat.install()
            from services.rank.serving.server import PortInUse, RankServer  # noqa: PLC0415

            _log_to_stderr()
            server = RankServer(manifest, options.model_dir, threads=options.threads, workers=options.workers)
            try:
                server.open(options.port)
            except BadModel as error:
                return _fail(str(error))
    try:
        server.serve(options.host, options.port)
    except PortInUse as error:
        return _fail(str(error))
    return 0


def _log_to_stderr() -> None:
    """Replace PaddleServing's log files by warnings on stderr.

    It logs a caller's bad request as an error with a stack trace; the answer already tells the caller.
    """
    logging.basicConfig(force=True, level=logging.WARNING, format=_LOG_FORMAT)
    logging.getLogger("paddle_serving_server").setLevel(logging.CRITICAL)
    logging.getLogger("LocalPredictor").setLevel(logging.WARNING)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.rank.serving",
        description="Serve one release's ranker through PaddleServing; ends with its parent process.",
    )
    add = parser.add_argument
    add("--model-dir", type=Path, required=True, help="the release's rank_serving/ folder")
    add("--manifest", type=Path, required=True, help="the release's manifest.json")
    add("--port", type=_port, default=9393, help="1024 to 65535 (default %(default)s)")
    add("--host", default="127.0.0.1", help="a loopback address (default %(default)s)")
    add("--expose", action="store_true", help="allow any --host: whoever reaches it may ask")
    add("--threads", type=_count, default=1, help="threads of one model run (default %(default)s)")
    add("--workers", type=_count, default=8, help="requests held at once (default %(default)s)")
    options = parser.parse_args(argv)
    if options.host not in _LOOPBACK and not options.expose:
        parser.error(f"--host {options.host} is not loopback: add --expose if whoever reaches it may ask")
    return options


def _port(text: str) -> int:
    if not (text.isdecimal() and 1024 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1024 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return int(text)


def _fail(message: str) -> int:
    sys.stderr.write(f"PaddleServing: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
