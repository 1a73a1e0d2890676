"""`python -m webapp.translate`: collects the texts of sources and templates, updates the catalogues.

A text that is new or was changed gets an entry without a translation in each `messages.po`; fill it in and
run this again. `messages.mo` is compiled and committed, so that running the shop needs no such step.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from webapp.i18n import LANGUAGES

HERE = Path(__file__).parent
FOLDER = HERE / "translations"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "_l": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
}


def extracted() -> Catalog:
    """Every text of the web tier, with where it stands."""
    with (HERE / "babel.cfg").open(encoding="utf-8") as config:
        methods, options = parse_mapping_cfg(config)  # type: ignore[no-untyped-call]
    found = Catalog(project="ECRS", charset="utf-8")
    texts = extract_from_dir(str(HERE), methods, options, keywords=KEYWORDS, comment_tags=("i18n:",))
    for file, line, message, comments, context in texts:
        found.add(message, locations=[(f"webapp/{file}", line)], auto_comments=comments, context=context)
    return found


def read(language: str) -> Catalog:
    """The catalogue of a language; an empty one when there is none yet."""
    file = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not file.exists():
        return Catalog(locale=language, project="ECRS", charset="utf-8")
    with file.open("rb") as stream:
        return read_po(stream, locale=language, domain="messages")


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def untranslated(catalogue: Catalog, texts: Catalog) -> list[str]:
    """Texts in use that the catalogue has not, has empty, or has as a guess (fuzzy)."""
    missing = []
    for text in texts:
        if not text.id:
            continue
        known = catalogue.get(text.id, text.context)
        string = known.string if known is not None and not known.fuzzy else ""
        if not all(string if isinstance(string, tuple) else (string,)):
            missing.append(str(text.id[0] if isinstance(text.id, list | tuple) else text.id))
    return missing


def update(language: str, texts: Catalog) -> Catalog:
    """Bring a language's files up to date with the texts in use, and return its catalogue."""
    catalogue = read(language)
    made_at = catalogue.creation_date
    catalogue.update(texts, no_fuzzy_matching=True)
    catalogue.obsolete.clear()  # what nobody says any more need not be kept
    # The head says nothing that changes when no text does.
    catalogue.creation_date = catalogue.revision_date = made_at
    catalogue.fuzzy = False
    catalogue.header_comment = "# The shop's texts. `make translations` keeps this file up to date.\n#"
    catalogue.last_translator = catalogue.language_team = catalogue.msgid_bugs_address = "ECRS"
    catalogue.version = "1"
    folder = FOLDER / language / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "messages.po").open("wb") as stream:
        # Without line numbers: they would change with every commit.
        write_po(stream, catalogue, width=110, sort_output=True, include_lineno=False)
    (folder / "messages.mo").write_bytes(compiled(catalogue))
    return catalogue


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 1 when a translation is missing."""
    argparse.ArgumentParser(prog="python -m webapp.translate", description=__doc__).parse_args(argv)
    texts = extracted()
    status = 0
    for language in list(LANGUAGES)[1:]:
        missing = untranslated(update(language, texts), texts)
        sys.stdout.write(f"{language}: {len(texts) - len(missing)} of {len(texts)} texts translated\n")
        for text in missing:
            sys.stdout.write(f"  missing: {text}\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
