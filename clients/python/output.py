"""What commands give back, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


class Failure(Exception):
    """What went wrong, in one line for the person at the terminal."""


@dataclass(frozen=True)
class Table:
    """Rows of text under column names, and a remark that belongs below them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""

    def as_text(self) -> str:
        """Columns aligned, one line a row."""
        lines = [list(self.columns), *([_one_line(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([*text, *([self.remark] if self.remark else [])])

    def as_json(self) -> str:
        """One JSON object a row."""
        return "\n".join(
            json.dumps(dict(zip(self.columns, row, strict=True)), ensure_ascii=False) for row in self.rows
        )


def _one_line(cell: str) -> str:
    return cell.replace("\n", " ")
