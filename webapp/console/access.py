"""Who may enter: people on this very machine, and whoever knows the password. See docs/adr/0130.

Loopback alone is a weak witness: behind Nginx every peer is loopback, and a browser can be led to loopback by
a foreign name (DNS rebinding). So everything that names a machine must name this one: the address we are
bound to, the peer, what proxies say of whom they speak for, and the name in the browser's address bar.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import Response, current_app, make_response, redirect, render_template, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response as BaseResponse

from services.common.network import is_loopback
from webapp.console.state import current_console
from webapp.hosts import host_name

COOKIE = "ecrs_console"
COOKIE_PATH = "/console"
SIGNED_IN_S = 12 * 3600
_FOREIGN_HEADERS = ("Forwarded", "Via", "X-Forwarded-Host", "X-Forwarded-Server")
"""Nothing of ours sends these: another proxy stands before us, and we do not know whom it speaks for."""
_PUBLIC = ("console.sign_in", "console.sign_in_now")


def require_access() -> BaseResponse | None:
    """Before every page: None for those who may, else the way in or the reason why there is none."""
    if request.endpoint in _PUBLIC or is_local() or is_signed_in():
        return None
    if not current_console().password:
        return refused_page()
    if request.endpoint == "console.live":  # a script asks: it cannot sign in
        return Response("sign in first\n", 401, mimetype="text/plain")
    target = request.full_path.rstrip("?") if request.method == "GET" else url_for("console.index")
    return redirect(url_for("console.sign_in", next=target), 303)


def refused_page() -> Response:
    """403: the console is closed, because no password is set."""
    return make_response(render_template("console/closed.html"), 403)


def is_local() -> bool:
    """Whether we serve this machine only, and the request comes from it, seen from every side."""
    if not is_loopback(current_console().bind):
        return False
    before_proxy = request.environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR")
    peers = [request.remote_addr or "", before_proxy or request.remote_addr or ""]
    for header in ("X-Forwarded-For", "X-Real-IP"):
        peers += [part.strip() for given in request.headers.getlist(header) for part in given.split(",")]
    if any(header in request.headers for header in _FOREIGN_HEADERS):
        return False
    return all(map(is_loopback, peers)) and is_loopback(host_name())


def is_password(given: str) -> bool:
    """Compares in a time that says nothing about how much of it is right."""
    wanted = current_console().password
    return bool(wanted) and hmac.compare_digest(_digest(given), _digest(wanted))


def is_signed_in() -> bool:
    """Whether the cookie is ours, of the last twelve hours, and of the password that holds now."""
    password = current_console().password
    if not password:
        return False
    try:
        held = _serializer().loads(request.cookies.get(COOKIE, ""), max_age=SIGNED_IN_S)
    except BadData:
        return False
    return isinstance(held, str) and hmac.compare_digest(held.encode(), _mark(password).encode())


def remember(response: BaseResponse) -> None:
    """Signed in from now on. A cookie of its own: who shops in the same browser does not matter here."""
    response.set_cookie(
        COOKIE,
        _serializer().dumps(_mark(current_console().password)),
        max_age=SIGNED_IN_S,
        path=COOKIE_PATH,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )


def forget(response: BaseResponse) -> None:
    """Signed out."""
    response.delete_cookie(
        COOKIE, path=COOKIE_PATH, secure=request.is_secure, httponly=True, samesite="Strict"
    )


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(_key(), salt="ecrs-console")


def _mark(password: str) -> str:
    """Says which password it was, without saying the password."""
    return hmac.new(_key(), password.encode(), hashlib.sha256).hexdigest()[:32]


def _key() -> bytes:
    key = current_app.secret_key
    return key.encode() if isinstance(key, str) else bytes(key or b"")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
