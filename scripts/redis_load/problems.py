"""What is wrong with the data to load: one line each, with file and line."""

from __future__ import annotations

from pathlib import Path

SHOWN = 20


class BadData(Exception):
    """The data cannot be loaded. The message is one line, or one line for each bad row."""


class Problems:
    """Collects bad rows; reading stops when there are too many to show."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, file: Path, line: int, problem: str) -> None:
        """A bad row; `line` counts from 1 (rows, in a file without lines). Raises BadData after the 20th."""
        self.lines.append(f"{file}:{line}: {problem}")
        if len(self.lines) >= SHOWN:
            self.lines.append(f"more than {SHOWN - 1} bad rows: reading stopped")
            self.check()

    def check(self) -> None:
        """Raises BadData if anything was added."""
        if self.lines:
            raise BadData("\n".join(self.lines))
