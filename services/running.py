"""The settings of the copy that runs from a state folder: kept there for commands and clients.

`make up` writes the file and `make down` removes it. Secrets are not in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.settings import Settings

FILE_NAME = "running.json"
IDENTITY = ("dataset", "prepared_dir", "artifacts_dir", "port_offset")
"""What makes a copy this one."""
PLACES = (
    *IDENTITY,
    *("redis_url", "index", "milvus_uri", "rank_predictor", "topology"),
    *(f"{service}_address" for service in ("user", "item", "recommend", "recall", "rank")),
)
"""What decides which copy is talked to."""


class OtherCopyError(ValueError):
    """The environment names another place than the copy in the state folder has; one line."""


def remember(settings: Settings) -> None:
    """Keep the settings of the copy that starts, in its state folder."""
    kept = {name: value for name, value in dict(settings).items() if not isinstance(value, SecretStr)}
    draft = settings.state_dir / f".{FILE_NAME}.{os.getpid()}"
    draft.touch(mode=0o600)  # for its owner only: a URL may hold a password
    draft.write_text(json.dumps(kept, indent=1, sort_keys=True, default=str) + "\n", "utf-8")
    draft.replace(settings.state_dir / FILE_NAME)


def forget(state_dir: Path) -> None:
    """The copy has been stopped."""
    (state_dir / FILE_NAME).unlink(missing_ok=True)


def as_running(
    settings: Settings, names: Collection[str] | None = None, agree: Collection[str] = PLACES
) -> Settings:
    """The settings; those that the environment does not give, as the copy has them that runs here.

    Args:
        names: only these are taken from the copy; None: all.
        agree: those that the environment may not give another value than the copy has.

    Raises:
        OtherCopyError: it does.
    """
    kept, given = _read(settings.state_dir), settings.model_fields_set
    others = {name: value for name, value in kept.items() if _text(value) != _text(getattr(settings, name))}
    for name in agree:
        if name in given and name in others:
            raise OtherCopyError(_contradiction(settings, name, others[name]))
    missing = {n: v for n, v in others.items() if n not in given and (names is None or n in names)}
    checked = Settings(**missing)
    return settings.model_copy(update={name: getattr(checked, name) for name in missing})


def running_settings() -> Settings:
    """The settings for a program that talks to the copy that runs here. Raises OtherCopyError."""
    return as_running(Settings())


def _read(state_dir: Path) -> dict[str, Any]:
    try:
        kept = dict(json.loads((state_dir / FILE_NAME).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none runs, or an older version started it
        return {}
    known = set(Settings.model_fields) - {"state_dir"}
    return {name: value for name, value in kept.items() if name in known}


def _contradiction(settings: Settings, name: str, kept: object) -> str:
    said, has = (_without_password(value) or "empty" for value in (getattr(settings, name), kept))
    return (
        f"ECRS_{name.upper()} is {said} in the environment or .env, but {has} "
        f"for the copy that make up started in {settings.state_dir}: leave it out to talk to that copy, name "
        "the folder of another one with ECRS_STATE_DIR, or say make up to restart this one with it"
    )


def _without_password(value: object) -> str:
    return re.sub(r"//[^/@]*@", "//…@", str(value))


def _text(value: object) -> str:
    """A value to compare: a folder by where it is, however it is written."""
    text = str(value)
    return str(Path(text).resolve()) if isinstance(value, Path) or text.startswith("/") else text
