"""Requests into input models. What does not fit raises BadInput, which names every field."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from flask import request
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from webapp.api.inputs import Input, PathId

MAX_BODY_BYTES = 1024 * 1024
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,99})")  # a page size may be any number; others have their limits
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_PATH_ID: TypeAdapter[str] = TypeAdapter(PathId)

I = TypeVar("I", bound=Input)  # noqa: E741 - an input


class BadInput(Exception):
    """The request is readable but not as the document says.

    Args:
        errors: pairs of field path and problem.
    """

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in errors))
        self.errors = tuple(errors)


def read_path(names: Mapping[str, str]) -> dict[str, str]:
    """The ids of a path, canonical. Raises BadInput."""
    ids = {}
    for name, value in names.items():
        try:
            ids[name] = _PATH_ID.validate_python(value, strict=True)
        except ValidationError as error:
            (one,) = error.errors(include_url=False, include_context=False, include_input=False)
            told = "must be 1 to 256 bytes without control characters and /"
            if one["type"] == "value_error":
                told = _words(one["type"], one["msg"])
            raise BadInput([(name, told)]) from error
    return ids


def read_query(model: type[I]) -> I:
    """The query string as a model. Numbers and booleans as JSON spells them. Raises BadInput."""
    raw: dict[str, Any] = {}
    for name, texts in request.args.lists():
        field = model.model_fields.get(name)
        if field is None:
            known = ", ".join(model.model_fields) or "none"
            raise BadInput([(name, f"is not a parameter of this call; it has: {known}")])
        raw[name] = _typed(name, field, texts)
    return _validated(model, json.dumps(raw).encode())


def read_body(model: type[I]) -> I:
    """The JSON body as a model.

    Raises UnsupportedMediaType, RequestEntityTooLarge, BadRequest or BadInput.
    """
    request.max_content_length = MAX_BODY_BYTES
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("The body must be application/json.")
    body = request.get_data(cache=False)
    try:
        json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # a wrong character is a ValueError too
        raise BadRequest(f"The body is not JSON: {_one_line(str(error))}") from error
    return _validated(model, body)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _validated(model: type[I], raw: bytes) -> I:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            if one["type"] == "too_short" and problems:
                continue  # a list whose elements are wrong looks empty: the elements are named already
            problems.setdefault(_path(one["loc"]), _words(one["type"], one["msg"]))
        raise BadInput(list(problems.items())) from error


def _words(kind: str, message: str) -> str:
    """Pydantic's message for people who do not know Pydantic."""
    if kind == "string_pattern_mismatch":
        return "has a length or a character that is not allowed"
    text = (
        message.removeprefix("Value error, ").replace("Input should", "should").replace("Tuple", "The list")
    )
    return _one_line(text[:1].lower() + text[1:])


def _path(location: tuple[int | str, ...]) -> str:
    """`("events", 0, "type")` as `events[0].type`; "" for the whole as `body`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return _one_line(path.removeprefix(".")) or "body"


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:300]


def _typed(name: str, field: FieldInfo, texts: list[str]) -> Any:
    kind = _kind(field.annotation)
    if kind is tuple:
        return texts
    if len(texts) > 1:
        raise BadInput([(name, "is given more than once")])
    (text,) = texts
    if kind is int and _WHOLE.fullmatch(text):
        return int(text)
    if kind is float and _NUMBER.fullmatch(text):
        return float(text)
    if kind is bool and text in {"true", "false"}:
        return text == "true"
    return text  # a text, or something that validation will refuse by name


def _kind(annotation: Any) -> Any:
    """The plain type below `Annotated` and `| None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return _kind(next(one for one in get_args(annotation) if one is not type(None)))
    return origin or annotation
