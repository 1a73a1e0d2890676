"""The OpenAPI 3.1 document, made from the table of operations and the models."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from webapp.api.answers import Problem
from webapp.api.inputs import PathId
from webapp.api.operations import Operation
from webapp.api.problems import MEDIA_TYPE
from webapp.stale import HEADER as STALE

VERSION = "1.0.0"
DESCRIPTION = """\
What the shop knows, for programs: lists, items, shoppers, events.

* Bodies are JSON (`application/json`, at most 1 MiB) with exactly the types and names given here.
* What goes wrong is told by a problem document (RFC 9457); `errors` names the fields.
* Requests are told apart by the `X-Request-ID` of the answer; yours is kept if you send one.
* Answers about the catalogue carry an `ETag`: sent as `If-None-Match`, it gets 304 while nothing changes.
* While a service does not answer, older copies stand in; `X-ECRS-Stale` then names what is not as of now.
* Cookies of the shop mean nothing here.
"""
TAGS = {
    "lists": "Recommendations and similar items.",
    "items": "The catalogue.",
    "users": "Shoppers and what they did.",
    "events": "Telling what shoppers do.",
    "health": "Whether the API can do its work.",
}
TAGS_WITH_STAND_INS = frozenset({"lists", "items"})
STALE_TEXT = "Names of the parts that are an older copy or a stand-in, with commas between; absent if none."
ALWAYS = (400, 421, 422, 429, 500, 502, 503)
PROBLEMS = {
    400: "A service refuses the request (`errors` names the field), or the body is not JSON.",
    401: "A token is needed: `Authorization: Bearer …`.",
    404: "There is no such thing.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not `application/json`.",
    421: "The request names a host that the API was not told to answer to.",
    422: "A parameter or the body is not as described here; `errors` names each field.",
    429: "Too many requests.",
    500: "Our mistake.",
    502: "A service failed in a way that we do not know.",
    503: "A service does not answer; try again after `Retry-After` seconds.",
    504: "A service did not answer in time.",
}


def document(operations: Sequence[Operation], *, token_needed: bool) -> dict[str, Any]:
    """The whole document.

    Args:
        operations: the table.
        token_needed: whether callers must send a token.
    """
    schemas = _schemas(operations)
    components: dict[str, Any] = {
        "schemas": schemas,
        "responses": {_response_name(status): _problem(status) for status in sorted(PROBLEMS)},
    }
    if token_needed:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas, token_needed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ECRS", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "/api/v1"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": components,
    }


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    models: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        (Problem, "serialization")
    ]
    for one in operations:
        models.append((one.query, "validation"))
        if one.body:
            models.append((one.body, "validation"))
        if one.answer:
            models.append((one.answer, "serialization"))
    _, made = models_json_schema(models, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = made["$defs"]
    for one in operations:  # queries are written as parameters
        schemas.pop(one.query.__name__, None)
    return schemas


def _operation(one: Operation, schemas: dict[str, Any], token_needed: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "parameters": [*map(_path_parameter, one.path_names), *_query_parameters(one)],
        "responses": _responses(one, token_needed),
    }
    if one.description:
        made["description"] = one.description
    if one.keep == "revalidate":
        made["parameters"].append(
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "The `ETag` of an earlier answer.",
                "schema": {"type": "string"},
            }
        )
    if one.body:
        reference = {"$ref": f"#/components/schemas/{one.body.__name__}"}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    if token_needed and not one.public:
        made["security"] = [{"token": []}]
    return made


def _path_parameter(name: str) -> dict[str, Any]:
    schema = TypeAdapter(PathId).json_schema()
    return {"name": name, "in": "path", "required": True, "description": "The id.", "schema": schema}


def _query_parameters(one: Operation) -> list[dict[str, Any]]:
    schema = one.query.model_json_schema()
    required = schema.get("required", [])
    made = []
    for name, described in schema.get("properties", {}).items():
        rest = {key: value for key, value in described.items() if key not in {"title", "description"}}
        choices = [choice for choice in rest.get("anyOf", []) if choice != {"type": "null"}]
        if choices:  # a query string has no null: such a parameter is left out
            rest = choices[0]
        made.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": described.get("description", name.replace("_", " ").capitalize() + "."),
                "schema": rest,
            }
        )
    return made


def _responses(one: Operation, token_needed: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if one.answer is None:
        made["204"] = {"description": "Done."}
    else:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{one.answer.__name__}"}}}
        made["200"] = {"description": (one.answer.__doc__ or "").splitlines()[0], "content": content}
    if one.query.model_fields:
        # Whoever reads the request line says so, before any of our code: without a document.
        made["414"] = {"description": "The address is longer than 8,000 bytes."}
    if one.keep == "revalidate":
        header = {"ETag": {"description": "Of this answer.", "schema": {"type": "string"}}}
        made["200"]["headers"] = header
        made["304"] = {"description": "Nothing has changed."}
    if one.answer is not None and one.tag in TAGS_WITH_STAND_INS:
        described = {"description": STALE_TEXT, "schema": {"type": "string"}}
        made["200"].setdefault("headers", {})[STALE] = described
    statuses = {*ALWAYS, *one.problems}
    if one.body:
        statuses |= {413, 415}
    if token_needed and not one.public:
        statuses.add(401)
    for status in sorted(statuses):
        made[str(status)] = {"$ref": f"#/components/responses/{_response_name(status)}"}
    if one.tag == "health":
        made["503"] = {"description": "A service does not answer.", "content": made["200"]["content"]}
    return made


def _response_name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _problem(status: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 503:
        made["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return made
