"""What the operators' commands share: settings in one line or a clear error, and the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pydantic import ValidationError
from rich.console import Console

from services.running import IDENTITY, OtherCopyError, as_running
from services.settings import Settings

_WIDTH_OF_FILES = 150


class CommandError(Exception):
    """The command cannot go on; the message is one line that says what to do."""


def read_settings(complete: Callable[[Settings], Settings] = as_running) -> Settings:
    """The settings, with folders made absolute.

    Args:
        complete: fills in what the environment does not say; by default all from the copy that runs.

    Raises:
        CommandError: a setting is wrong, or contradicts the copy that runs; it is named.
    """
    try:
        settings = complete(Settings())
    except ValidationError as error:
        first = error.errors()[0]
        name = "ECRS_" + "_".join(str(part) for part in first["loc"]).upper()
        raise CommandError(f"{name}: {first['msg']}: correct it in the environment or in .env") from error
    except OtherCopyError as error:
        raise CommandError(str(error)) from error
    folders = ("state_dir", "prepared_dir", "artifacts_dir")
    return settings.model_copy(update={name: getattr(settings, name).resolve() for name in folders})


def of_this_copy(settings: Settings) -> Settings:
    """What makes the copy that runs this one, where the environment does not say it; it may say otherwise."""
    return as_running(settings, IDENTITY, agree=())


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
