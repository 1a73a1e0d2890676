"""What was typed into a page's form: values within their limits, and what is wrong, by field."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import request

from engine.dataset import Feature
from engine.errors import InvalidArgument
from engine.types import AttributeValue
from services.common.validate import check_id
from webapp.i18n import gettext as _

FEATURE = "feature_"  # before a feature's name, so that one may be called `page`
MOST_SESSION = 50
MOST_SHOWN = 60  # characters of an id in a message
MAX_VALUE = 100

_SEPARATORS = re.compile(r"[\s,;]+")


@dataclass
class Form:
    """The address's arguments, and the first thing wrong with each field."""

    problems: dict[str, str] = field(default_factory=dict)
    status: int = 200
    """Of the page: 400 when something is wrong, 404 when what was named is not stored."""

    def text(self, name: str) -> str:
        """As typed, without blanks around it."""
        return request.args.get(name, "").strip()

    def id(self, name: str, *, needed: str = "") -> str:
        """One id; "" when nothing or something wrong was typed. `needed`: the message when it is missing."""
        value = self.text(name)
        if not value:
            if needed:
                self.problem(name, needed)
            return ""
        return self._id(name, value)

    def ids(self, name: str, most: int) -> list[str]:
        """Several ids between commas, blanks or lines, each once; none when there are too many."""
        values = list(dict.fromkeys(part for part in _SEPARATORS.split(self.text(name)) if part))
        if len(values) > most:
            self.problem(name, _("%(count)s ids; at most %(most)s are taken.", count=len(values), most=most))
            return []
        found = [self._id(name, value) for value in values]
        return list(dict.fromkeys(found)) if all(found) else []

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`; the default when nothing or something wrong was typed."""
        value = self.text(name)
        if not value:
            return default
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= high:
            return int(value)
        self.problem(name, _("A whole number from %(low)s to %(high)s, please.", low=low, high=high))
        return default

    def choices(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Those of `allowed` that are ticked, in their order."""
        given = request.args.getlist(name)
        wrong = next((one for one in given if one and one not in allowed), "")
        if wrong:
            self.problem(name, _("“%(value)s” is not one of these.", value=wrong[:MOST_SHOWN]))
        return tuple(one for one in allowed if one in given)

    def features(self, features: Sequence[Feature]) -> dict[str, AttributeValue]:
        """What was filled in of the dataset's user features."""
        found: dict[str, AttributeValue] = {}
        for feature in features:
            name = FEATURE + feature.name
            values = [part for part in (one.strip() for one in request.args.getlist(name)) if part]
            if any(len(value) > MAX_VALUE for value in values):
                self.problem(name, _("At most %(most)s characters, please.", most=MAX_VALUE))
            elif values and feature.kind == "number":
                self._number(name, values[0], feature.name, found)
            elif values and feature.kind == "multi":
                parts = [part.strip() for value in values for part in value.split(",") if part.strip()]
                found[feature.name] = tuple(dict.fromkeys(parts))
            elif values:
                found[feature.name] = values[0]
        return found

    def problem(self, name: str, text: str) -> None:
        """Something is wrong with a field; the first counts."""
        self.problems.setdefault(name, text)
        self.status = 400

    def unknown(self, name: str, text: str, *, partly: bool = False) -> None:
        """What a field names is not stored; `partly`: some of it is."""
        self.problems.setdefault(name, text)
        if self.status == 200 and not partly:
            self.status = 404

    def _number(self, name: str, value: str, feature: str, found: dict[str, AttributeValue]) -> None:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            found[feature] = number
        else:
            self.problem(name, _("A number, please."))

    def _id(self, name: str, value: str) -> str:
        """The id as it is stored; "" where it is none, which is told."""
        try:
            return check_id(name, value)
        except InvalidArgument as error:
            self.problem(
                name,
                _(
                    "“%(value)s” cannot be an id: it %(problem)s.",
                    value=_short(value),
                    problem=str(error).partition(": ")[2],
                ),
            )
            return ""


@dataclass(frozen=True)
class Who:
    """Whom a list is for: a stored user, or a new one by what the form says. `asked`: something was sent."""

    user_id: str
    attributes: Mapping[str, AttributeValue]
    session: tuple[str, ...]
    asked: bool


def read_who(form: Form, features: Sequence[Feature]) -> Who:
    """The part of the form that all stages share."""
    who = Who(
        user_id=form.id("user_id"),
        attributes=form.features(features),
        session=tuple(form.ids("session", MOST_SESSION)),
        asked="user_id" in request.args or any(name.startswith(FEATURE) for name in request.args),
    )
    if who.asked and not form.problems and not (who.user_id or who.attributes or who.session):
        form.problem("user_id", _("Give a user’s id, or fill in the form of a new one."))
    return who


def _short(value: str) -> str:
    visible = "".join(sign if sign.isprintable() else "�" for sign in value)
    return visible if len(visible) <= MOST_SHOWN else f"{visible[:MOST_SHOWN]}…"
