"""`python -m services`: all five services, each process with all of them (`ECRS_TOPOLOGY=together`)."""

import os
import sys

# Before numpy is loaded: see services/recall/__main__.py.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from services import bootstrap
from services.common.main import run_together

if __name__ == "__main__":
    sys.exit(run_together(bootstrap.together_apps))
