"""`python -m webapp --port 5000`: one web front end. The patch comes before every other import."""

from webapp.patch import patch_for_gevent

patch_for_gevent()

import os  # noqa: E402
import sys  # noqa: E402

from webapp.server import main  # noqa: E402

try:
    status = main()
except SystemExit as end:  # argparse, which has said why
    status = end.code if isinstance(end.code, int) else 1
sys.stdout.flush()
sys.stderr.flush()
# Everything is closed. Ending the interpreter under gRPC's greenlets prints a stack trace on Python 3.12.
os._exit(status)
