"""The form of a new shopper, built from the dataset's user features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import FloatField, SelectField, SelectMultipleField, StringField, SubmitField
from wtforms.validators import InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from services.common.ports import AttributeValue
from webapp.dataset import UserFeature

PREFIX = "feature_"  # so that a feature may have any name, `data` or `validate` too
RATHER_NOT = ("", "I would rather not say")


class SignInForm(FlaskForm):  # type: ignore[misc]  # no type information
    """Sign in by id."""

    user_id = StringField(validators=[InputRequired(message="Please give a number."), Length(max=256)])
    submit = SubmitField()


class CheckboxesField(SelectMultipleField):  # type: ignore[misc]
    """Several choices, each with a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def registration_form(features: Sequence[UserFeature]) -> FlaskForm:
    """A form with one field a feature; no field must be filled in."""
    fields = {PREFIX + feature.name: _field(feature) for feature in features}
    return type("RegistrationForm", (FlaskForm,), fields)()


def attributes_of(form: FlaskForm, features: Sequence[UserFeature]) -> dict[str, AttributeValue]:
    """What was filled in of a validated form, by feature."""
    given = {feature.name: form[PREFIX + feature.name].data for feature in features}
    return {
        name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v not in (None, "", [])
    }


def _field(feature: UserFeature) -> Any:
    label, choices = feature.label(), [(value, value) for value in feature.values]
    if feature.kind == "number":
        return FloatField(label, validators=[Optional(), _finite])
    if feature.kind == "multi" and choices:
        return CheckboxesField(label, choices=choices)
    if choices:
        return SelectField(label, choices=[RATHER_NOT, *choices], default="")
    filters = [_split] if feature.kind == "multi" else [_strip]
    return StringField(label, validators=[_short], filters=filters)


def _strip(value: str | None) -> str:
    return (value or "").strip()


def _split(value: str | list[str] | None) -> list[str]:
    """Several values typed with commas between them."""
    if isinstance(value, list):
        return value
    return [part.strip() for part in (value or "").split(",") if part.strip()][:64]


def _short(form: FlaskForm, field: Any) -> None:
    if any(len(value) > 100 for value in ([field.data] if isinstance(field.data, str) else field.data)):
        raise ValidationError("At most 100 characters, please.")


def _finite(form: FlaskForm, field: Any) -> None:
    if field.data is not None and not math.isfinite(field.data):
        raise ValidationError("Please give a number.")
