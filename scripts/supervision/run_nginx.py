"""`python -m scripts.supervision.run_nginx PROGRAM FOLDER`: become Nginx, in its folder.

When Nginx's first process is killed, its workers live on and hold the port, so that no new one could start.
Those that work in FOLDER are ended first.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts.supervision.leftovers import end, find_in_folder


def main(argv: list[str]) -> None:
    """Never returns: this process becomes Nginx."""
    program, folder = argv
    gone = end(find_in_folder("nginx", Path(folder)), patience_s=3.0)
    if gone:
        sys.stderr.write(f"ended what an earlier Nginx left: {', '.join(gone)}\n")
    os.chdir(folder)
    os.execv(program, [program, "-p", folder, "-c", f"{folder}/nginx.conf"])  # noqa: S606  # a path, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
