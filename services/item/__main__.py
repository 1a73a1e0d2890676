"""`python -m services.item`: the item service, port 8920."""

import sys

from services import bootstrap
from services.common.main import run_service

if __name__ == "__main__":
    sys.exit(run_service("item", bootstrap.item_app))
