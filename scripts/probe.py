"""`python -m scripts.probe KIND TARGET`: whether one part is healthy, for the health check of a container."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from scripts.supervision.health import check
from scripts.supervision.parts import Part


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit status is 0 when the part is healthy."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.probe", description="Ask one part for its health."
    )
    parser.add_argument("kind", choices=("grpc", "http", "redis", "tcp"), help="how to ask")
    parser.add_argument("target", help="host:port, or the URL of Redis")
    options = parser.parse_args(argv)
    reason = check(Part("part", "part", 0, (), 0, options.kind, options.target))
    if reason:
        sys.stderr.write(f"{options.target}: {reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
