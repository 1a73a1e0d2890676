"""Who is shopping: a signed-in shopper or an anonymous visitor. Kept in the signed session cookie.

The session holds an id and nothing else of value, and is emptied whenever the identity changes: what was in a
cookie before (planted or left over) is never in one after.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass

from flask import Flask, Response, g, request, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from engine.ids import canonical_id, id_problem

ANONYMOUS_PREFIX = "anon-"
NEW_PREFIX = "new-"
DAY_S = 86_400
SENT_ON = "day"
"""Key in the session: the day its cookie was last sent, in days since 1970 (UTC)."""

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


@dataclass(frozen=True)
class Shopper:
    """`user_id` is the id of events too, signed in or not.

    `just_arrived`: the id was made for this request, so no service has anything stored under it.
    """

    user_id: str
    signed_in: bool
    just_arrived: bool = False

    @property
    def is_new(self) -> bool:
        """Whether the shopper came by the form."""
        return self.user_id.startswith(NEW_PREFIX)


def current_shopper() -> Shopper:
    """The shopper of this request; a first visit gets an anonymous id."""
    if user_id := session.get("user_id"):
        return Shopper(str(user_id), signed_in=True)
    if "anonymous_id" not in session:
        session["anonymous_id"] = ANONYMOUS_PREFIX + secrets.token_hex(12)
        session.permanent = True
        g.just_arrived = True
    return Shopper(str(session["anonymous_id"]), signed_in=False, just_arrived=g.get("just_arrived", False))


def sign_in(user_id: str) -> None:
    """Make the session this shopper's, with nothing of the session before."""
    session.clear()
    session["user_id"] = user_id
    session.permanent = True


def anonymous_id() -> str:
    """The id of the anonymous visit that this session is; "" when it is none, or only now begins."""
    return "" if session.get("user_id") else str(session.get("anonymous_id", ""))


def is_registered_id(user_id: str) -> bool:
    """Whether the id was given by this shop, to a visitor or newcomer: nobody signs in by such an id."""
    return user_id.startswith((ANONYMOUS_PREFIX, NEW_PREFIX))


def sign_out() -> None:
    """Forget who this was; the next request is a new anonymous visitor."""
    session.clear()


def new_shopper_id() -> str:
    """An id that nobody can guess."""
    return NEW_PREFIX + secrets.token_hex(8)


def is_id(text: str) -> bool:
    """Whether the services can take this as an id."""
    return not id_problem(canonical_id(text))


def read_id(text: str) -> str:
    """The id in a request, in its canonical spelling; "" for what is none."""
    return canonical_id(text) if is_id(text) else ""


def local_path(target: str, default: str = "/") -> str:
    """`target` if it is a path on this site, else `default`: a redirect never leaves the shop."""
    return target if _LOCAL_PATH.fullmatch(target) else default


class SessionCookies(SecureCookieSessionInterface):
    """Flask's signed cookies, sent when the session changed, and once a day with a page to keep it alive.

    Flask itself would send the cookie with every answer. An answer that is still being made when its shopper
    signs in, a static file as well as a page, would then bring back the session before.
    """

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie if it has to be sent."""
        today = int(time.time() // DAY_S)
        if session.permanent and request.blueprint == "shop" and session.get(SENT_ON) != today:
            session[SENT_ON] = today
        super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the browser may send the cookie by HTTPS only: exactly when the request came by it."""
        return request.is_secure

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """When the session changed; never with an answer of the API, where cookies mean nothing."""
        return session.modified and request.blueprint != "api"
