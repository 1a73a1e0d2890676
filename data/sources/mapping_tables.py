"""The keys of a mapping file that say where a table is and how it is read."""

from __future__ import annotations

from data.columns import NULLS
from data.dataset import TableReader
from data.readers.database import url_problem
from data.readers.table_file import FORMATS, TableFile
from data.rows import TextFormat


def has_source(table: TableReader) -> bool:
    """Whether the table has files or a query of its own."""
    return table.has("file") or table.has("sql")


def parse_table_file(table: TableReader) -> TableFile:
    """``file`` or ``sql``, and the keys that belong to them."""
    if table.has("sql"):
        return _query(table)
    names = table.one_or_more("file")
    form = TextFormat(
        delimiter=table.text("delimiter", "\t" if ".tsv" in names[0] else ","),
        encoding=table.text("encoding", "utf-8"),
        quoted=table.flag("quoted", True),
        columns=table.texts("columns"),
        decimal=table.text("decimal", "."),
    )
    if form.decimal not in {".", ","}:
        raise table.error("decimal", 'must be "." or ","')
    if not form.delimiter or (form.quoted and len(form.delimiter) != 1):
        raise table.error("delimiter", "must be one character; a longer one needs quoted = false")
    kind = table.text("format", "")
    if kind and kind not in FORMATS:
        raise table.error("format", f"must be one of {', '.join(FORMATS)}, not {kind!r}")
    return TableFile(
        names,
        form,
        _nulls(table),
        format=kind,
        member=table.text("member", ""),
        sheet=table.text("sheet", ""),
        allow=_allowances(table),
    )


def _query(table: TableReader) -> TableFile:
    if table.has("file"):
        raise table.error("sql", "give file or sql, but not both")
    url, variable = table.text("url", ""), table.text("url_env", "")
    if bool(url) == bool(variable):
        raise table.error("url", "give the database's address by url, or by url_env the variable that has it")
    if url and (problem := url_problem(url)):
        raise table.error("url", problem)
    return TableFile(
        nulls=_nulls(table), sql=table.text("sql"), url=url, url_env=variable, allow=_allowances(table)
    )


def _nulls(table: TableReader) -> tuple[str, ...]:
    return (*NULLS, *table.texts("nulls"))


def _allowances(table: TableReader) -> dict[str, float]:
    """Shares by reason; "no user_id" and the like may name the key of the mapping instead of the column."""
    given = table.table("allow", required=False)
    shares = {}
    for reason in given.raw:
        share = given.number(reason)
        if not 0 <= share <= 1:
            raise given.error(reason, f"must be a share between 0 and 1, not {share:g}")
        what, space, key = reason.rpartition(" ")
        column = table.raw.get(key)
        shares[f"{what} {column}" if space and isinstance(column, str) else reason] = share
    return shares
