"""What the operators' commands share: settings in one line or a clear error, and the terminal."""

from __future__ import annotations

import sys

from pydantic import ValidationError
from rich.console import Console

from services.settings import Settings

_WIDTH_OF_FILES = 150


class CommandError(Exception):
    """The command cannot go on; the message is one line that says what to do."""


def read_settings() -> Settings:
    """The settings, with folders made absolute. Raises CommandError, naming the setting that is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "ECRS_" + "_".join(str(part) for part in first["loc"]).upper()
        raise CommandError(f"{name}: {first['msg']}: correct it in the environment or in .env") from error
    folders = ("state_dir", "prepared_dir", "artifacts_dir")
    return settings.model_copy(update={name: getattr(settings, name).resolve() for name in folders})


def console() -> Console:
    """Standard output for people; characters the terminal does not have are replaced, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    found = Console(highlight=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = _WIDTH_OF_FILES
    return found


def fail(command: str, error: Exception | str) -> int:
    """Print one line on stderr; returns the exit status 1."""
    text = " ".join(str(error).split())
    sys.stderr.write(f"{command}: {text}\n")
    return 1
