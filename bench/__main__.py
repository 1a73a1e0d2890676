"""`make bench`: measures the running system, one figure after the other; each is a command of its own too."""

from __future__ import annotations

import sys

from bench import latency, loaders, web


def main() -> int:
    """Run them all; stops at the first that fails, with its exit code."""
    return next((status for run in (latency.main, loaders.main, web.main) if (status := run([]))), 0)


if __name__ == "__main__":
    sys.exit(main())
