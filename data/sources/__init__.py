"""One adapter a dataset. A new one is one module and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable

from data.sources.base import Options, Source
from data.sources.completejourney import CompleteJourney
from data.sources.jdata import JData

SOURCES: dict[str, Callable[[Options], Source]] = {
    "completejourney": CompleteJourney,
    "jdata": JData,
}
