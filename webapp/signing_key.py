"""The key that signs cookies: given, or a random one in the state folder of this machine."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

FILE_NAME = "web_secret_key"
MIN_LENGTH = 16


class SigningKeyError(Exception):
    """The key cannot be used; the message says what to do."""


def signing_key(given: str, state_dir: Path) -> str:
    """The key to use.

    Args:
        given: `ECRS_SECRET_KEY`; empty for our own.
        state_dir: where our own is kept (mode 0600); made when missing.

    Raises:
        SigningKeyError: the given key is too short, or the folder cannot be written.
    """
    if given:
        if len(given) < MIN_LENGTH:
            raise SigningKeyError(f"ECRS_SECRET_KEY: must have at least {MIN_LENGTH} characters, or be empty")
        return given
    path = state_dir / FILE_NAME
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SigningKeyError(f"{path}: cannot be used: {error}; delete it or set ECRS_SECRET_KEY") from error
    if len(key) < MIN_LENGTH:
        raise SigningKeyError(f"{path}: too short for a key; delete it and start again")
    return key


def _create(path: Path) -> None:
    """Write a new key unless another front end is quicker: whoever links the name first wins, complete."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE_NAME}-")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()
