"""The steps of `make up` on the terminal: what is done now, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Step:
    """The step being done. `note` is what its line says at the end; `now` shows what is waited for."""

    def __init__(self, progress: Progress | None, title: str) -> None:
        self.note = ""
        self._progress = progress
        self._title = title
        self._task = progress.add_task(title) if progress else None

    def now(self, text: str) -> None:
        """Show `text` beside the title while the step runs."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=f"{self._title}: {text}")


class Steps:
    """Prints a line for each step with its time."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str, *, talks: bool = False) -> Iterator[Step]:
        """One step. One that `talks` prints its own progress, so its title goes before it, and no spinner.

        The line is printed when the block ends; with an exception it is marked as failed.
        """
        began = time.monotonic()
        try:
            if talks:
                self.console.print(f"[bold]  … {title}[/bold]")
                step = Step(None, title)
                yield step
            else:
                columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
                hidden = not self.console.is_terminal
                with Progress(*columns, console=self.console, transient=True, disable=hidden) as progress:
                    step = Step(progress, title)
                    yield step
        except BaseException:  # printed, then raised again
            self._line("[red]failed[/red]", title, time.monotonic() - began, "")
            raise
        self._line("[green]done[/green]  ", title, time.monotonic() - began, step.note)

    def skip(self, title: str, note: str) -> None:
        """A line for a step whose product is there."""
        self._line("[dim]there[/dim] ", title, 0.0, note)

    def _line(self, mark: str, title: str, seconds: float, note: str) -> None:
        self.console.print(f"{mark} {title:<22} {seconds:6.1f} s  {note}")
