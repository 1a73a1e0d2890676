"""Structured logs: an event name and key=value, one line each, on standard error."""

from __future__ import annotations

import json
import logging
import sys

import structlog

# Made once: json.dumps with options of its own makes an encoder for each line.
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}


def configure(level: str = "INFO", form: str = "json", **fields: str) -> None:
    """Set up logging for this process; call once, at start.

    Args:
        level: lowest level logged: DEBUG, INFO, WARNING or ERROR.
        form: "json", or "console" for reading along.
        fields: added to every line of this process, for example `service="user"`.
    """
    numeric = _LEVELS[level]
    # Libraries (grpc, redis) speak through the standard logging; only their warnings matter here.
    logging.basicConfig(level=max(numeric, logging.WARNING), stream=sys.stderr, force=True)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(_encode)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_fields(fields),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _encode(event: structlog.typing.EventDict, **_: object) -> str:
    return _ENCODER.encode(event)


def _add_fields(fields: dict[str, str]) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.update(fields)
        return event

    return add
