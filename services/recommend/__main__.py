"""`python -m services.recommend`: the recommend service, port 8930."""

import sys

from services import bootstrap
from services.common.main import run_service

if __name__ == "__main__":
    sys.exit(run_service("recommend", bootstrap.recommend_app, waits=True))
