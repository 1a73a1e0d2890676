"""The table of operations: routing, validation and the OpenAPI document are all made from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from webapp.api.answers import Answer
from webapp.api.inputs import Input, NoQuery

Handler = Callable[..., Answer | None]


@dataclass(frozen=True)
class Operation:
    """One call.

    Attributes:
        name: `operationId`, the endpoint and the function's name.
        path: below `/api/v1`, with `{name}` for ids.
        query, body: what is read; `body` None: nothing is.
        answer: what is answered with 200; None: 204, nothing.
        keep: `revalidate` gives an ETag (the same for all who ask); `never` none.
        problems: status codes of its own beside those that every call has.
        public: needs no token where others do.
    """

    name: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    handler: Handler
    query: type[Input] = NoQuery
    body: type[Input] | None = None
    answer: type[Answer] | None = None
    keep: Literal["revalidate", "never"] = "never"
    problems: tuple[int, ...] = ()
    public: bool = False

    @property
    def path_names(self) -> list[str]:
        """Names of the ids in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


OPERATIONS: list[Operation] = []
"""Filled by importing the modules of handlers."""


def operation(
    method: str,
    path: str,
    tag: str,
    *,
    query: type[Input] = NoQuery,
    body: type[Input] | None = None,
    answer: type[Answer] | None = None,
    keep: Literal["revalidate", "never"] = "never",
    problems: tuple[int, ...] = (),
    public: bool = False,
) -> Callable[[Handler], Handler]:
    """Enter a handler in the table. Its docstring's first line is the summary, the rest the description.

    A handler takes the path's ids by name, then `query` and `body` if it has them.
    """

    def enter(handler: Handler) -> Handler:
        summary, _, description = (inspect.getdoc(handler) or "").partition("\n")
        OPERATIONS.append(
            Operation(
                name=handler.__name__,
                method=method,
                path=path,
                tag=tag,
                summary=summary.rstrip("."),
                description=" ".join(description.split()),
                handler=handler,
                query=query,
                body=body,
                answer=answer,
                keep=keep,
                problems=problems,
                public=public,
            )
        )
        return handler

    return enter
