"""`python -m services.recall`: the recall service, port 8950."""

import os
import sys

# Before numpy is loaded. The service scales by its own threads and processes; BLAS threads on top spin
# against each other on busy cores: a search of 10 k × 64 takes up to 30 ms, not 0.06 (docs/adr/0052).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from services import bootstrap
from services.common.main import run_service

if __name__ == "__main__":
    sys.exit(run_service("recall", bootstrap.recall_app))
