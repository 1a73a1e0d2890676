"""The forms of shoppers: signing in, registering, changing the profile, deleting it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FloatField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
)
from wtforms.validators import InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from engine.dataset import Feature
from engine.types import AttributeValue
from webapp.i18n import gettext as _
from webapp.i18n import language
from webapp.i18n import lazy_gettext as _l
from webapp.passwords import MAX_LENGTH, MIN_LENGTH, normal_login

PREFIX = "feature_"  # so that a feature may have any name, `data` or `validate` too
_LOGIN = re.compile(r"[\w.+@-]{3,64}")


class SignInForm(FlaskForm):  # type: ignore[misc]  # no type information
    """Sign in by id."""

    user_id = StringField(validators=[InputRequired(message=_l("Please give a number.")), Length(max=256)])
    submit = SubmitField()


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """Sign in by name and password."""

    login = StringField(_l("Name"), validators=[InputRequired(), Length(max=200)])
    password = PasswordField(_l("Password"), validators=[InputRequired(), Length(max=MAX_LENGTH)])


class DeleteForm(FlaskForm):  # type: ignore[misc]
    """A box that has to be ticked before anything is deleted."""

    sure = BooleanField(
        _l("Yes, delete everything"), validators=[InputRequired(message=_l("Please tick the box first."))]
    )


class AccountForm(FlaskForm):  # type: ignore[misc]
    """The part of registering that lets one come back; it may stay empty as a whole."""

    login = StringField(_l("Name or e-mail address"), filters=[lambda text: (text or "").strip()])
    password = PasswordField(_l("Password"))
    password_again = PasswordField(_l("Password, once more"))

    def validate_login(self, field: Any) -> None:
        """A name that people can type, needed with a password."""
        if not field.data and self.password.data:
            raise ValidationError(_("A password needs a name to go with it."))
        if field.data and not _LOGIN.fullmatch(normal_login(field.data)):
            raise ValidationError(_("3 to 64 letters, digits or . _ + - @, please."))

    def validate_password(self, field: Any) -> None:
        """Long enough, needed with a name."""
        if self.login.data and not field.data:
            raise ValidationError(_("A name needs a password to go with it."))
        if field.data and not MIN_LENGTH <= len(field.data) <= MAX_LENGTH:
            raise ValidationError(
                _("%(least)s to %(most)s characters, please.", least=MIN_LENGTH, most=MAX_LENGTH)
            )

    def validate_password_again(self, field: Any) -> None:
        """The same once more: a slip of the finger would lock the shopper out."""
        if self.password.data and field.data != self.password.data:
            raise ValidationError(_("The two passwords are not the same."))


class CheckboxesField(SelectMultipleField):  # type: ignore[misc]
    """Several choices, each with a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def registration_form(features: Sequence[Feature]) -> Any:
    """The account's fields and one a feature; no field must be filled in."""
    return _with_features("RegistrationForm", AccountForm, features)()


def profile_form(features: Sequence[Feature], attributes: Mapping[str, AttributeValue] | None = None) -> Any:
    """One field a feature, filled with what is known."""
    known = {PREFIX + name: _shown(value) for name, value in (attributes or {}).items()}
    return _with_features("ProfileForm", FlaskForm, features)(data=known)


def attributes_of(form: Any, features: Sequence[Feature]) -> dict[str, AttributeValue]:
    """What was filled in of a validated form, by feature."""
    given = {feature.name: form[PREFIX + feature.name].data for feature in features}
    return {
        name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v not in (None, "", [])
    }


def _with_features(name: str, base: type[Any], features: Sequence[Feature]) -> type[Any]:
    return type(name, (base,), {PREFIX + feature.name: _field(feature) for feature in features})


def _field(feature: Feature) -> Any:
    label, choices = feature.label(language()), [(value, value) for value in feature.values]
    if feature.kind == "number":
        return FloatField(label, validators=[Optional(), _finite])
    if feature.kind == "multi" and choices:
        return CheckboxesField(label, choices=choices)
    if choices:
        rather_not = ("", _("I would rather not say"))
        return SelectField(label, choices=[rather_not, *choices], default="")
    filters = [_split] if feature.kind == "multi" else [_strip]
    return StringField(label, validators=[_short], filters=filters)


def _shown(value: AttributeValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _strip(value: str | None) -> str:
    return (value or "").strip()


def _split(value: str | list[str] | None) -> list[str]:
    """Several values typed with commas between them."""
    if isinstance(value, list):
        return value
    return [part.strip() for part in (value or "").split(",") if part.strip()][:64]


def _short(form: Any, field: Any) -> None:
    if any(len(value) > 100 for value in ([field.data] if isinstance(field.data, str) else field.data)):
        raise ValidationError(_("At most 100 characters, please."))


def _finite(form: Any, field: Any) -> None:
    if field.data is not None and not math.isfinite(field.data):
        raise ValidationError(_("Please give a number."))
