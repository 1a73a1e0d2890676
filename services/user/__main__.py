"""`python -m services.user`: the user service, port 8910."""

import sys

from services import bootstrap
from services.common.main import run_service

if __name__ == "__main__":
    sys.exit(run_service("user", bootstrap.user_app))
