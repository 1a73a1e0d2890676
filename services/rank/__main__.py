"""`python -m services.rank`: the rank service, port 8960."""

import sys

from services import bootstrap
from services.common.main import run_service

if __name__ == "__main__":
    sys.exit(run_service("rank", bootstrap.rank_app))
