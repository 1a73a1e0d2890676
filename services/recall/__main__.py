"""`python -m services.recall`: the recall service, port 8950."""

import sys

from services import bootstrap
from services.common.main import run_service

if __name__ == "__main__":
    sys.exit(run_service("recall", bootstrap.recall_app))
