"""``python -m models.evaluate PROTOCOL``: the command of ``models/evaluation/command.py``."""

import sys

from models.evaluation.command import main

if __name__ == "__main__":
    sys.exit(main())
