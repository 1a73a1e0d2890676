"""Small drawings: SVG without style attributes, as the strict policy wants; colours by the style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH = 1000  # units; bars are stretched to the place they have


def bar(start: float, length: float, whole: float, kind: str = "") -> Markup:
    """A bar from `start` of `length` on a line of `whole`, at least visible; for waterfalls and scores."""
    whole = whole if whole > 0 else 1.0
    width = min(max(length / whole * WIDTH, 4), WIDTH)
    x = min(max(start / whole * WIDTH, 0), WIDTH - width)
    return _svg("bar", f'<rect class="{kind}" x="{x:.1f}" width="{width:.1f}" height="10"/>', 10)


def lean(effect: float, most: float) -> Markup:
    """A bar from the middle: right for what lifts, left for what lowers; `most` is the largest shown."""
    half = WIDTH / 2
    width = min(abs(effect) / most if most > 0 else 0.0, 1.0) * half
    x, kind = (half, "up") if effect >= 0 else (half - width, "down")
    return _svg(
        "lean",
        f'<rect class="{kind}" x="{x:.1f}" width="{width:.1f}" height="10"/>'
        f'<line x1="{half}" x2="{half}" y1="0" y2="10" vector-effect="non-scaling-stroke"/>',
        10,
    )


def sparkline(values: Sequence[float | None]) -> Markup:
    """The course of a figure, oldest first, from 0 up; None leaves a gap. Empty below two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    top, step, height = max(*known, 1e-9), WIDTH / (len(values) - 1), 30
    lines: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{place * step:.1f},{1 + (1 - value / top) * (height - 2):.1f}")
    drawn = "".join(
        f'<polyline vector-effect="non-scaling-stroke" points="{" ".join(line)}"/>'
        for line in lines
        if len(line) > 1
    )
    return _svg("spark", drawn, height)


def _svg(kind: str, inner: str, height: int) -> Markup:
    """Only numbers and names of ours are inside."""
    return Markup(  # noqa: S704
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{inner}</svg>'
    )
