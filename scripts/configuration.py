"""`python -m scripts.configuration`: write docs/configuration.md; with `--check` only compare it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from scripts.console import fail
from services.settings import PORTS, ROOT, Settings

PAGE = ROOT / "docs" / "configuration.md"
_HEAD = """# Configuration

Every setting is an environment variable, or a line `ECRS_NAME=value` of a file `.env` in the project's
root; the environment wins. What is not set runs everything on this machine's loopback. A setting that is
wrong is named in one line, and nothing is started. This page is made from `services/settings.py` by
`python -m scripts.configuration`.

| variable | default | what it is |
|---|---|---|
"""
_PORTS = """
## Ports

`ECRS_PORT_OFFSET` is added to each; with a state folder of its own (`ECRS_STATE_DIR`) a second copy runs
beside the first.

| part | port |
|---|---|
"""


def page() -> str:
    """The text of docs/configuration.md."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    ports = [f"| {name} | {port} |" for name, port in PORTS.items()]
    return _HEAD + "\n".join(rows) + "\n" + _PORTS + "\n".join(ports) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    return f"| `ECRS_{name.upper()}` | {_default(field.default)} | {field.description} |"


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = value.relative_to(ROOT)
    return f"`{value}`" if str(value) else ""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.configuration")
    parser.add_argument("--check", action="store_true", help="fail if the page is not current")
    options = parser.parse_args(argv)
    if not options.check:
        PAGE.write_text(page(), "utf-8")
    elif PAGE.read_text("utf-8") != page():
        return fail("configuration", f"{PAGE} is not current: run python -m scripts.configuration")
    return 0


if __name__ == "__main__":
    sys.exit(main())
