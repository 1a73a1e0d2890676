"""The shop's languages: which one a request is answered in, and how a shopper switches.

`?lang=zh` decides and is kept in a cookie; else the cookie; else what the browser accepts. Texts are written
in English in the sources and translated in `translations/<language>/LC_MESSAGES/messages.po`
(`make translations`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.support import NullTranslations, Translations
from flask import Flask, Response, g, has_request_context, request
from flask_babel import Babel, LazyString

LANGUAGES = {"en": "English", "zh": "中文"}
"""Code → what the language calls itself. The first is the sources' own."""
HTML_LANG = {"en": "en", "zh": "zh-Hans"}
COOKIE = "ecrs_lang"
COOKIE_S = 365 * 86_400
TRANSLATIONS = Path(__file__).parent / "translations"


def install(app: Flask) -> None:
    """Set up Flask-Babel and the switch on the application."""
    Babel(app, default_locale="en", locale_selector=language)  # which writes dates and times
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.after_request(_keep)
    app.context_processor(lambda: {"language": language(), "html_lang": HTML_LANG[language()]})
    app.context_processor(lambda: {"language_links": language_links()})


def language() -> str:
    """The language of this request: a key of LANGUAGES; English outside of a request."""
    if not has_request_context():
        return "en"
    known: str = g.get("language", "")
    if not known:
        asked, kept = request.args.get("lang", ""), request.cookies.get(COOKIE, "")
        accepted = request.accept_languages.best_match(list(LANGUAGES), "en")
        known = g.language = next((one for one in (asked, kept) if one in LANGUAGES), accepted)
    return known


def gettext(message: str, **variables: object) -> str:
    """The text in the language of this request, with `variables` put in by name (`%(name)s`).

    Flask-Babel's own looks up the request's context five times a text, and a page has a hundred texts.
    """
    text = _translations(language()).gettext(message)
    return text % variables if variables else text


def ngettext(singular: str, plural: str, num: int, **variables: object) -> str:
    """As `gettext`, in the form for this number, which is the variable `num`."""
    return _translations(language()).ngettext(singular, plural, num) % {"num": num, **variables}


def lazy_gettext(message: str) -> LazyString:
    """A text that is translated each time it is used."""
    return LazyString(gettext, message)


@lru_cache(maxsize=len(LANGUAGES))
def _translations(lang: str) -> NullTranslations:
    """The compiled texts; for the sources' own language there are none, and each text stands for itself."""
    return Translations.load(TRANSLATIONS, [lang])


def language_links() -> list[dict[str, Any]]:
    """This page in each language: `code`, `name`, `url`, `current`. A page that was posted leads home."""
    path, pairs = "/", []
    if has_request_context() and request.method in {"GET", "HEAD"}:
        path = request.path
        pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return [
        {
            "code": code,
            "html_lang": HTML_LANG[code],
            "name": name,
            "url": f"{path}?{urlencode([*pairs, ('lang', code)])}",
            "current": code == language(),
        }
        for code, name in LANGUAGES.items()
    ]


def _keep(response: Response) -> Response:
    """Remember a language that was asked for; tell caches that the answer depends on it."""
    asked = request.args.get("lang", "")
    if asked in LANGUAGES and asked != request.cookies.get(COOKIE):
        response.set_cookie(
            COOKIE, asked, max_age=COOKIE_S, secure=request.is_secure, httponly=True, samesite="Lax"
        )
    if request.endpoint != "static":
        response.vary.add("Accept-Language")
    return response
