"""The OpenAPI document as a page: plain tables, made on the server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from webapp.api.openapi import TAGS
from webapp.api.operations import Operation

EXAMPLES: dict[str, Any] = {
    "make_recommendations": {
        "profile": {"age": "25-34"},
        "session_item_ids": ["1104475"],
        "page_size": 5,
        "filter": {"price_max": 10, "exclude_purchased": True},
    },
    "record_events": {"events": [{"user_id": "1001", "item_id": "1104475", "type": "click"}]},
    "put_user": {"attributes": {"age": "25-34"}},
}
QUERIES = {
    "get_recommendations": "?user_id=1001&page_size=5",
    "list_similar_items": "?page_size=5",
    "list_items": "?page_size=5",
    "search_items": "?query=milk&page_size=5",
    "list_user_events": "?page_size=5",
}
IDS = {"{user_id}": "1001", "{item_id}": "1104475"}
NUMBERS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {}"),
    ("maxItems", "at most {} of them"),
    ("minProperties", "at least {} entries"),
    ("maxProperties", "at most {} entries"),
)


def document_json(document: Mapping[str, Any]) -> str:
    """The document as it is served."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def page(document: Mapping[str, Any], operations: Sequence[Operation], root: str) -> dict[str, Any]:
    """What the template shows: operations by tag, and the models.

    Args:
        root: the site's address, for the lines to paste into a terminal.
    """
    schemas = document["components"]["schemas"]
    return {
        "info": document["info"],
        "points": [
            line.removeprefix("* ")
            for line in document["info"]["description"].splitlines()
            if line[:1] == "*"
        ],
        "intro": document["info"]["description"].splitlines()[0],
        "groups": [
            {
                "name": tag,
                "text": text,
                "calls": [_call(document, one, root) for one in operations if one.tag == tag],
            }
            for tag, text in TAGS.items()
        ],
        "models": [
            {"name": name, "text": schema.get("description", ""), "fields": _fields(schema)}
            for name, schema in sorted(schemas.items())
        ],
    }


def _call(document: Mapping[str, Any], one: Operation, root: str) -> dict[str, Any]:
    described = document["paths"][one.path][one.method.lower()]
    answers = []
    for status, response in described["responses"].items():
        name = response.get("$ref", "").rsplit("/", 1)[-1]
        shown = document["components"]["responses"][name] if name else response
        content = list(shown.get("content", {}).values())
        kind = _type(content[0]["schema"]) if content else None
        answers.append({"status": status, "text": shown["description"], "type": kind})
    return {
        "name": one.name,
        "method": one.method,
        "path": "/api/v1" + one.path,
        "summary": one.summary,
        "text": one.description,
        "parameters": [
            {
                "name": parameter["name"],
                "place": parameter["in"],
                "required": parameter.get("required", False),
                "text": parameter["description"],
                "type": _type(parameter["schema"]),
                "limits": _limits(parameter["schema"]),
            }
            for parameter in described["parameters"]
        ],
        "body": one.body.__name__ if one.body else None,
        "answers": answers,
        "line": _line(one, root),
    }


def _line(one: Operation, root: str) -> str:
    """The call as a line of curl."""
    path = one.path
    for name, example in IDS.items():
        path = path.replace(name, example)
    words = ["curl"] + ([] if one.method == "GET" else ["-X", one.method])
    words.append(f"{root}/api/v1{path}{QUERIES.get(one.name, '')}")
    if one.body:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(EXAMPLES[one.name])]
    return shlex.join(words)


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "required": name in required,
            "type": _type(field),
            "limits": _limits(field),
            "text": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _type(schema: Mapping[str, Any]) -> dict[str, str]:
    """A type in words, with the name of the model it refers to, if any."""
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return {"text": name, "model": name}
    if choices := schema.get("anyOf"):
        kinds = [_type(choice) for choice in choices]
        model = next((kind["model"] for kind in kinds if kind["model"]), "")
        return {"text": " or ".join(kind["text"] for kind in kinds), "model": model}
    if schema.get("type") == "array":
        inner = _type(schema["items"])
        return {"text": f"list of {inner['text']}", "model": inner["model"]}
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        inner = _type(schema["additionalProperties"])
        return {"text": f"object of {inner['text']}", "model": inner["model"]}
    return {"text": str(schema.get("type", "anything")), "model": ""}


def _limits(schema: Mapping[str, Any]) -> str:
    """Limits, choices and default in words."""
    choices = schema.get("enum") or schema.get("items", {}).get("enum")
    found = ["one of " + ", ".join(choices)] if choices else []
    found += [text.format(f"{schema[key]:,}") for key, text in NUMBERS if key in schema]
    if "default" in schema and schema["default"] not in (None, "", [], {}):
        found.append(f"default {json.dumps(schema['default'])}")
    return "; ".join(found)
