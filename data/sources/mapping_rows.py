"""Choosing rows before they are read as events, users or items: what is left out here is no mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import patterns
from data.columns import Columns
from data.finishing import RETURN
from data.idset import IdSet
from data.readers.table_file import TableFile
from data.rejects import Rejects
from data.rows import Rows
from data.sources.mapping_config import Mapped
from data.sources.mapping_filters import IGNORE, TAKE_BACK, Condition, Mask

NO_PRODUCT = "no product"


@dataclass(frozen=True)
class Part:
    """Rows of the events' file that are treated alike."""

    cols: Columns
    kind: str
    """The type of all of them, `RETURN` for what takes purchases back; empty: by the mapping."""


def where(rows: Rows, conditions: Sequence[Condition], file: TableFile, rejects: Rejects) -> Rows:
    """The rows for which all conditions hold; the others are counted under the first that does not."""
    for condition in conditions:
        keep = condition.holds(_columns(rows, file))
        rows = _without(rows, ~keep, f"not ({condition})", rejects)
    return rows


def only_products(rows: Rows, config: Mapped, file: TableFile, no_products: IdSet, rejects: Rejects) -> Rows:
    """Items' rows without what the mapping excludes; the ids of those are remembered for the events."""
    bad = _excluded(_columns(rows, file), config.items.item_id, config.items.title, config)
    if bad.any():
        no_products.add(_columns(_chosen(rows, bad), file).ids(config.items.item_id))
    return _without(rows, bad, NO_PRODUCT, rejects)


def event_parts(rows: Rows, config: Mapped, no_products: IdSet, rejects: Rejects) -> Iterator[Part]:
    """Events' rows after `where`, without types to ignore and items that are no products; returns apart."""
    file, events = config.events_file, config.events
    rows = where(rows, events.where, file, rejects)
    if events.type and events.ignored_types:
        types = _columns(rows, file).category(events.type)
        ignored = pc.is_in(types, pa.array(events.ignored_types, pa.string()))
        for value in events.ignored_types:
            count = int(pc.sum(pc.equal(types, value)).as_py() or 0)
            rejects.leave_out(rows.table, f"{events.type} is {value}", count)
        rows = _dropped(rows, np.asarray(ignored.to_numpy(zero_copy_only=False), np.bool_), rejects)
    cols = _columns(rows, file)
    # Where the items have files of their own, the title's column is theirs, whatever the events' file has.
    bad = _excluded(cols, events.item_id, None if config.items_file else config.items.title, config)
    if len(no_products):
        bad |= no_products.contains(_columns(rows, file).ids(events.item_id))
    rows = _without(rows, bad, NO_PRODUCT, rejects)
    back = np.zeros(len(rows.lines), np.bool_)
    if events.returns is not None:
        back = events.returns.found(_columns(rows, file))
        if events.returns.do == IGNORE:
            rows, back = _without(rows, back, "return", rejects), back[~back]
    for chosen, kind in ((~back, ""), (back, _kind_of_returns(config))):
        if chosen.any():
            part = Columns(_chosen(rows, chosen), rejects, file.nulls, file.form.decimal)
            yield Part(part, kind)


def _kind_of_returns(config: Mapped) -> str:
    returns = config.events.returns
    return "" if returns is None else RETURN if returns.do == TAKE_BACK else returns.do


def _excluded(cols: Columns, id_column: str, title: str | None, config: Mapped) -> Mask:
    exclude = config.items.exclude
    bad = pa.repeat(pa.scalar(False), len(cols))
    if exclude.item_id:
        bad = pc.or_(bad, patterns.matches(cols.category(id_column), exclude.item_id))
    if exclude.title and title:
        bad = pc.or_(bad, patterns.matches(cols.text(title), exclude.title))
    return np.asarray(bad.to_numpy(zero_copy_only=False), np.bool_)


def _columns(rows: Rows, file: TableFile) -> Columns:
    """The columns for a look: rows are rejected later, by who reads them."""
    return Columns(rows, Rejects(), file.nulls, file.form.decimal)


def _without(rows: Rows, bad: Mask, reason: str, rejects: Rejects) -> Rows:
    rejects.leave_out(rows.table, reason, int(bad.sum()))
    return _dropped(rows, bad, rejects)


def _dropped(rows: Rows, bad: Mask, rejects: Rejects) -> Rows:
    if not bad.any():
        return rows
    rejects.read(rows.table, int(bad.sum()))
    return _chosen(rows, ~bad)


def _chosen(rows: Rows, chosen: Mask) -> Rows:
    at = np.flatnonzero(chosen).tolist()
    return replace(rows, lines=[rows.lines[i] for i in at], fields=[rows.fields[i] for i in at])
