"""Signing in to the console off loopback, and out."""

from __future__ import annotations

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.console.access import (
    COOKIE_PATH,
    forget,
    is_local,
    is_password,
    is_signed_in,
    refused_page,
    remember,
)
from webapp.console.attempts import WINDOW_S
from webapp.console.blueprint import blueprint
from webapp.console.state import current_console
from webapp.i18n import gettext as _
from webapp.shopper import local_path

MAX_PASSWORD = 1024


@blueprint.get("/login")
def sign_in() -> Response:
    """The form; straight on for those who are in, the reason for those who cannot be let in."""
    if is_local() or is_signed_in():
        return redirect(_next(), 303)
    if not current_console().password:
        return refused_page()
    return _form()


@blueprint.post("/login")
def sign_in_now() -> Response:
    """Checks the password."""
    console = current_console()
    if not console.password:
        return refused_page()
    if not console.attempts.allow(request.remote_addr or ""):
        response = _form(_("Too many tries. Wait a minute, then try again."), 429)
        response.headers["Retry-After"] = str(WINDOW_S)
        return response
    given = request.form.get("password", "")
    if len(given) > MAX_PASSWORD or not is_password(given):
        return _form(_("This is not the password."), 403)
    response = redirect(_next(), 303)
    remember(response)
    return response


@blueprint.post("/logout")
def sign_out() -> Response:
    """Forgets the password was given."""
    response = redirect(url_for("console.sign_in"), 303)
    forget(response)
    return response


def _form(problem: str = "", status: int = 200) -> Response:
    return make_response(render_template("console/login.html", problem=problem, next=_next()), status)


def _next() -> str:
    """Where to go afterwards: a page of the console, never another place."""
    default = url_for("console.index")
    target = local_path(request.values.get("next", ""), default)
    return target if target.startswith(f"{COOKIE_PATH}/") else default
