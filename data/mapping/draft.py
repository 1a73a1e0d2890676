"""Writing a first mapping file from a guess, with comments where the user should look."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from data.mapping.columns import Column
from data.mapping.guess import UNKNOWN, Guess, Table, cancellation_prefix, guests
from data.mapping.sample import Sample

_ITEM_KEYS = ("title", "category", "brand", "price", "available", "description", "url", "image_url")
_YES = ("1", "true", "yes", "y", "ja", "oui", "si", "sí", "是", "in stock", "instock")
_PATH = re.compile(r"\S\s*[>/|]\s*\S")
_MOST_LISTED = 30


def draft(found: Guess, folder: Path) -> str:
    """The text of a mapping file in `folder`; valid but where a column is `UNKNOWN`."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-") or "myshop"
    head = [
        "# By `python -m data.mapping init`. Correct what is wrong, then: python -m data.mapping check",
        "[dataset]",
        f"name = {_text(name)}  # also the name of the folder in data/prepared",
        f"title = {_text(name)}",
        '# currency = "EUR"',
        *_positive(found),
    ]
    parts = [head, _events(found, folder)]
    if (items := _items(found, folder)) is not None:
        parts.append(items)
    if found.users or found.user_features:
        parts.append(_users(found, folder))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _positive(found: Guess) -> list[str]:
    if "rating" in found.events.roles and not found.types:
        return ['positive = ["rate"]']
    if found.types and "purchase" not in found.types.values():
        kinds = [kind for kind in found.types.values() if kind] or ["view"]
        best = next((kind for kind in ("cart", "favorite", "rate") if kind in kinds), kinds[0])
        return [f"positive = [{_text(best)}]  # no purchases were seen: what is to be predicted instead?"]
    return ["weights = { view = 0.1 }"] if "view" in found.types.values() else []


def _events(found: Guess, folder: Path) -> list[str]:
    table = found.events
    lines = ["[events]", *_file(table, folder), *_decimal(table, ("price", "value", "rating", "quantity"))]
    for role, noun in (("user_id", "shopper"), ("item_id", "product")):
        lines.append(_column(role, table, f"which column has the {noun}?"))
    lines += _time(table)
    lines += _kind(found)
    lines += _value(table)
    lines += _where(table)
    invoice, quantity = table.column("invoice"), table.column("quantity")
    when = []
    if invoice and (prefix := cancellation_prefix(table)):
        when.append(f"{{ column = {_text(invoice.name)}, matches = {_text(prefix + '*')} }}")
    if quantity and quantity.negative:
        when.append(f"{{ column = {_text(quantity.name)}, below = 0 }}")
    if when:
        lines += ["", "[events.returns]", f"when = [{', '.join(when)}]"]
        lines.append('do = "remove"  # takes back earlier purchases; or "ignore", or an event type')
    return lines


def _column(role: str, table: Table, question: str) -> str:
    if role in table.roles:
        return f"{role} = {_text(table.roles[role])}"
    others = ", ".join(table.columns)
    return f"{role} = {_text(UNKNOWN)}  # {question} There are: {_one_line(others)}"


def _time(table: Table) -> list[str]:
    column = table.column("time")
    if column is None:
        return ["# time = …  # none was found: the order of the rows stands in for times"]
    form = column.time_formats[0]
    lines = [f"time = {_text(column.name)}"]
    others = [other for other in column.time_formats[1:] if form != "iso"]
    if form != "iso":
        doubt = f"  # or {others[0]}? The days seen do not tell" if others else ""
        lines.append(f"time_format = {_text(form)}{doubt}")
    return lines


def _kind(found: Guess) -> list[str]:
    column = found.events.column("type")
    if column is not None and any(found.types.values()):
        known = {value: kind for value, kind in found.types.items() if kind}
        pairs = ", ".join(f"{_key(value)} = {_text(kind)}" for value, kind in known.items())
        lines = [f"type = {_text(column.name)}", f"types = {{ {pairs} }}"]
        if ignored := [value for value, kind in found.types.items() if not kind]:
            lines.append(f"ignore = {_list(ignored)}  # values of unknown meaning: move what counts to types")
        return lines
    if "rating" in found.events.roles:
        return ['type_constant = "rate"']
    return ['type_constant = "purchase"  # what every row is: view, click, cart, purchase, rate …']


def _value(table: Table) -> list[str]:
    if rating := table.column("rating"):
        return [f"value = {_text(rating.name)}"]
    quantity, price = table.column("quantity"), table.column("price")
    if quantity and price:
        return [f"value = {{ product = {_list([quantity.name, price.name])} }}"]
    if value := table.column("value"):
        return [f"value = {_text(value.name)}  # money paid for the row"]
    return []


def _where(table: Table) -> list[str]:
    lines = []
    share, shared = guests(table)
    if share:
        test = f"is_not = {_text(shared)}" if shared else "known = true"
        lines.append(f"# {share:.1%} of the rows seen have no shopper: guests, who cannot be known again.")
        lines.append(f"where = [{{ column = {_text(table.roles['user_id'])}, {test} }}]")
    if status := table.column("status"):
        values = _list(list(status.counts)[:_MOST_LISTED])
        lines.append(f"# Do all of these count? where = [{{ column = {_text(status.name)}, is = {values} }}]")
    return lines


def _items(found: Guess, folder: Path) -> list[str] | None:
    table, own = found.items or found.events, found.items is not None
    keys = [key for key in _ITEM_KEYS if key in table.roles]
    if not own and not keys and not found.no_products:
        return None
    lines = ["[items]", *(_file(table, folder) if own else [])]
    if own:
        lines += [*_decimal(table, ("price",)), f"item_id = {_text(table.roles['item_id'])}"]
    for key in keys:
        column = table.columns[table.roles[key]]
        if key != "category":
            lines.append(f"{key} = {_text(column.name)}")
        else:
            lines += _category(column)
        if key == "available":
            yes = [value for value in column.counts if value.lower() in _YES]
            lines.append(f"available_values = {_list(yes or list(column.counts)[:1])}  # what means yes")
    if found.no_products:
        ids = [item for item, _ in found.no_products][:_MOST_LISTED]
        titles = ", ".join(title or item for item, title in found.no_products[:5])
        lines.append(f"# These look like no products: {_one_line(titles)}")
        lines.append(f"exclude = {{ item_id = {_list(ids)} }}")
    for name in [*([table.roles["genres"]] if "genres" in table.roles else []), *found.item_features]:
        lines += _feature("items", table.columns[name])
    return lines


def _category(column: Column) -> list[str]:
    lines = [f"category = {_list([column.name])}"]
    paths = [text for text in column.counts if _PATH.search(text)]
    if len(paths) > 0.3 * len(column.counts):
        separator = max(">/|", key=lambda sign: sum(sign in text for text in paths))
        levels = max(text.count(separator) for text in paths) + 1
        lines += [f"category_separator = {_text(separator)}", f"category_levels = {min(levels, 4)}"]
    return lines


def _users(found: Guess, folder: Path) -> list[str]:
    table = found.users or found.events
    lines = ["[users]"]
    if found.users:
        lines += [*_file(table, folder), f"user_id = {_text(table.roles['user_id'])}"]
    for name in found.user_features:
        lines += _feature("users", table.columns[name])
    return lines


def _feature(table: str, column: Column) -> list[str]:
    name = re.sub(r"[^a-z0-9]+", "_", column.name.lower()).strip("_")
    name = name if re.match("[a-z]", name) else f"feature_{name}".rstrip("_")
    if table == "items" and name in ("brand", "shop", "price"):
        name += "_2"
    lines = ["", f"[[{table}.feature]]", f"name = {_text(name)}"]
    if name != column.name:
        lines.append(f"column = {_text(column.name)}")
    if column.is_number and len(column.counts) > 20:
        lines.append('kind = "number"')
    elif any("|" in text for text in column.counts):
        lines.append('kind = "multi"')
    return lines


def _file(table: Table, folder: Path) -> list[str]:
    sample = table.samples[0]
    names = [os.path.relpath(sample.path, folder) for sample in table.samples]
    lines = [f"file = {_text(names[0]) if len(names) == 1 else _list(names)}"]
    return lines + (_form(sample) if sample.kind == "csv" else [])


def _form(sample: Sample) -> list[str]:
    form, lines = sample.form, []
    if form.delimiter != ("\t" if ".tsv" in sample.path.name else ","):
        lines.append(f"delimiter = {_text(form.delimiter)}")
    if not form.quoted:
        lines.append("quoted = false")
    if form.encoding != "utf-8":
        doubt = "" if sample.sure else "  # probably: does `check` show letters such as é right?"
        lines.append(f"encoding = {_text(form.encoding)}{doubt}")
    if form.columns:
        lines.append(f"columns = {_list(form.columns)}  # the file has no header: give names")
    return lines


def _decimal(table: Table, roles: Iterable[str]) -> list[str]:
    numbers = [column for role in roles if (column := table.column(role))]
    comma = table.samples[0].kind == "csv" and any(column.decimal == "," for column in numbers)
    return ['decimal = ","'] if comma else []


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _text(text)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(_text(text) for text in texts)}]"


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)
