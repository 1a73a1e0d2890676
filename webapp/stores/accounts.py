"""Accounts: a login name and a hashed password, for shoppers who want to come back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import structlog

from services.common.redis import Redis, redis_errors

log = structlog.get_logger("webapp.accounts")


@dataclass(frozen=True, slots=True)
class Account:
    """`login`: the normalised name; `password_hash`: as `webapp.passwords` makes it."""

    login: str
    user_id: str
    password_hash: str


class AccountStore(Protocol):
    """Where accounts are kept. All raise Unavailable when the store does not answer."""

    def get(self, login: str) -> Account | None: ...

    def create(self, account: Account) -> bool: ...

    def login_of(self, user_id: str) -> str: ...

    def delete_of(self, user_id: str) -> None: ...


def account_key(login: str) -> str:
    """The key of an account: JSON object."""
    return f"ecrs:shop:account:{login}"


def login_key(user_id: str) -> str:
    """The key of a user's login name."""
    return f"ecrs:shop:login:{user_id}"


class RedisAccounts:
    """Implements `AccountStore`."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def get(self, login: str) -> Account | None:
        """The account of a normalised login name."""
        with redis_errors():
            raw: Any = self._redis.get(account_key(login))
        if raw is None:
            return None
        try:
            return Account(**json.loads(raw))
        except (ValueError, TypeError) as error:
            log.warning("account.unreadable", error=str(error))
            return None

    def create(self, account: Account) -> bool:
        """Store a new account; False when the name is taken."""
        with redis_errors():
            if not self._redis.set(account_key(account.login), json.dumps(asdict(account)), nx=True):
                return False
            self._redis.set(login_key(account.user_id), account.login)
        return True

    def login_of(self, user_id: str) -> str:
        """The login name of a user; "" without an account."""
        with redis_errors():
            raw: Any = self._redis.get(login_key(user_id))
        return raw.decode() if raw else ""

    def delete_of(self, user_id: str) -> None:
        """Forget a user's account."""
        login = self.login_of(user_id)
        with redis_errors():
            self._redis.delete(login_key(user_id), *([account_key(login)] if login else []))
