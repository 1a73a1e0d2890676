"""One adapter a dataset. A new one is one module and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable

from data.sources.base import Options, Source
from data.sources.completejourney import CompleteJourney
from data.sources.jdata_layouts import JData
from data.sources.mapping import Mapped
from data.sources.movielens import MovieLens
from data.sources.original import Original
from data.sources.tafeng import TaFeng

SOURCES: dict[str, Callable[[Options], Source]] = {
    "completejourney": CompleteJourney,
    "jdata": JData,
    "mapping": Mapped,
    "movielens": MovieLens,
    "original": Original,
    "tafeng": TaFeng,
}
