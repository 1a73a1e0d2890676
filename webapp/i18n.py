"""The shop's languages: which one a request is answered in, and how a shopper switches.

`?lang=zh` decides and is kept in a cookie; else the cookie; else what the browser accepts. Texts are written
in English in the sources and translated in `translations/<language>/LC_MESSAGES/messages.po`
(`make translations`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, has_request_context, request
from flask_babel import Babel

LANGUAGES = {"en": "English", "zh": "中文"}
"""Code → what the language calls itself. The first is the sources' own."""
HTML_LANG = {"en": "en", "zh": "zh-Hans"}
COOKIE = "ecrs_lang"
COOKIE_S = 365 * 86_400


def install(app: Flask) -> None:
    """Set up Flask-Babel and the switch on the application."""
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "translations")
    Babel(app, default_locale="en", locale_selector=language)
    app.after_request(_keep)
    app.context_processor(lambda: {"language": language(), "html_lang": HTML_LANG[language()]})
    app.context_processor(lambda: {"language_links": language_links()})


def language() -> str:
    """The language of this request: a key of LANGUAGES; English outside of a request."""
    if not has_request_context():
        return "en"
    if "language" not in g:
        asked, kept = request.args.get("lang", ""), request.cookies.get(COOKIE, "")
        accepted = request.accept_languages.best_match(list(LANGUAGES), "en")
        g.language = next((one for one in (asked, kept) if one in LANGUAGES), accepted)
    return str(g.language)


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
