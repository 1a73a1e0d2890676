"""Passwords and login names: what is accepted, and hashing by scrypt that does not hold up other requests."""

from __future__ import annotations

import unicodedata

import gevent
from werkzeug.security import check_password_hash, generate_password_hash

METHOD = "scrypt:32768:8:1"  # 32 MiB and some tens of milliseconds a guess
MIN_LENGTH, MAX_LENGTH = 10, 128
MIN_LOGIN = 3
MIN_DIFFERENT = 5  # characters: "aaaaaaaaaa" is long and no password

# Of a random password that nobody kept: what a guess at a name without an account is compared with.
NOBODYS_HASH = (
    "scrypt:32768:8:1$mlKwx2rUvaQYlTOo$"
    "7e5e92e6700cf805640192ff0b2aaeb7e35527c7bf4dca46cc25896d44472560"
    "52ce5ea8b696704ba3cf4f6dae3d993fc32dc9d7cb107ba296d21176571a3765"
)


def normal_login(login: str) -> str:
    """The form under which a login name is stored: case and the ways to write a letter do not count."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def is_weak(password: str, login: str) -> bool:
    """Whether a password is guessed at once: too few different characters, or it is made of the name."""
    folded, name = password.casefold(), normal_login(login)
    name = name.partition("@")[0]
    return len(set(folded)) < MIN_DIFFERENT or (len(name) >= MIN_LOGIN and name in folded)


def hash_password(password: str) -> str:
    """A salted hash. Runs in a thread of its own: the event loop goes on serving others meanwhile."""
    return gevent.get_hub().threadpool.apply(generate_password_hash, (password, METHOD))  # type: ignore[no-any-return]


def fits(password: str, password_hash: str | None) -> bool:
    """Whether the password is the hashed one. Without an account (None) it takes as long, and is False."""
    fitting = gevent.get_hub().threadpool.apply(
        check_password_hash, (password_hash or NOBODYS_HASH, password)
    )
    return bool(fitting) and password_hash is not None
