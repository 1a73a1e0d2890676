"""What a page asked of the services: how long each call took, what went out and came back, what failed."""

from __future__ import annotations

import json
import shlex
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from google.protobuf import json_format
from google.protobuf.message import Message
from markupsafe import Markup

from engine.errors import EcrsError
from services.common.rpc import tape
from webapp.console.charts import bar

T = TypeVar("T")
MOST_IN_LINE = 100
MOST_IN_ARGUMENT = 100_000  # bytes: Linux takes 128 KiB in one argument of a command
log = structlog.get_logger("webapp.console")


@dataclass(frozen=True)
class Stage:
    """A call, or with `level` 1 a part of it. Milliseconds since the page began; `error`: how it failed."""

    name: str
    start_ms: float
    took_ms: float
    error: str = ""
    level: int = 0


@dataclass(frozen=True)
class Shown:
    """A call as developers read it: JSON of both messages, and the command that does the same."""

    method: str
    address: str
    took_ms: float
    request: str
    response: str
    error: str
    command: str


@dataclass
class Trace:
    """Collects the calls of one page; use inside `recording`."""

    stages: list[Stage] = field(default_factory=list)
    calls: list[Shown] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(what was asked, one line why it failed), in order."""
    _exchanges: list[tape.Exchange] = field(default_factory=list)
    _hidden: list[tape.Exchange] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)

    def ask(self, name: str, call: Callable[[], T], *answers: type[EcrsError], raw: bool = True) -> T | None:
        """The call's result; None when it fails, which is noted: the page shows the rest.

        Args:
            name: "service.Method".
            answers: errors that say something about what was typed: raised, to be told at the field.
            raw: whether the messages are shown too.
        """
        started, error, before = time.perf_counter(), "", len(self._exchanges)
        try:
            return call()
        except answers as caught:
            error = str(caught)
            raise
        except EcrsError as caught:
            error = str(caught)
            log.warning("console.call_failed", call=name, error=error)
            self.failures.append((name, error))
            return None
        finally:
            now = time.perf_counter()
            if not raw:
                self._hidden += self._exchanges[before:]
            self.stages.append(Stage(name, (started - self._began) * 1e3, (now - started) * 1e3, error))

    def parts(self, timings_ms: Mapping[str, float]) -> None:
        """The stages inside the last call, one after the other, as the service reported them."""
        start = self.stages[-1].start_ms
        for name, took in timings_ms.items():
            if name != "total":
                self.stages.append(Stage(name, start, took, level=1))
                start += took

    def finish(self) -> None:
        """Turn what was recorded into text."""
        hidden = {id(one) for one in self._hidden}
        self.calls = [shown(one) for one in self._exchanges if id(one) not in hidden]

    @property
    def total_ms(self) -> float:
        """From the first call's begin to the last one's end."""
        return max((stage.start_ms + stage.took_ms for stage in self.stages), default=0.0)

    def waterfall(self) -> list[tuple[Stage, Markup]]:
        """Each stage with its bar."""
        whole = self.total_ms
        return [
            (one, bar(one.start_ms, one.took_ms, whole, "bad" if one.error else f"level{one.level}"))
            for one in self.stages
        ]


@contextmanager
def recording() -> Iterator[Trace]:
    """A trace that sees the real messages of every call that is made inside over gRPC."""
    with tape.recording() as exchanges:
        trace = Trace(_exchanges=exchanges)
        yield trace
    trace.finish()


def shown(exchange: tape.Exchange) -> Shown:
    """An exchange as text."""
    method = method_of(exchange.request)
    return Shown(
        method=method,
        address=exchange.address,
        took_ms=exchange.took_s * 1e3,
        request=_json(exchange.request),
        response=_json(exchange.response) if exchange.response is not None else "",
        error=exchange.error,
        command=grpcurl(exchange.address, method, exchange.request),
    )


def method_of(request: Message) -> str:
    """`package.Service/Method` that takes this message; its name alone when no service does."""
    for service in request.DESCRIPTOR.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is request.DESCRIPTOR:
                return f"{service.full_name}/{method.name}"
    return str(request.DESCRIPTOR.full_name)


def grpcurl(address: str, method: str, request: Message) -> str:
    """The command that sends the same; a long message goes by standard input."""
    data = json.dumps(_fields(request), ensure_ascii=False, separators=(",", ":"))
    if len(data.encode()) > MOST_IN_ARGUMENT:
        return f"grpcurl -plaintext -d @ {shlex.quote(address)} {method} <<'JSON'\n{data}\nJSON"
    return f"grpcurl -plaintext -d {shlex.quote(data)} {shlex.quote(address)} {method}"


def _fields(message: Message) -> dict[str, object]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _json(message: Message) -> str:
    return pretty(_fields(message))


def pretty(value: object, indent: str = "") -> str:
    """JSON with an object's fields on lines of their own, and lists of plain values filled like a text."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{json.dumps(str(key))}: {pretty(one, inner)}" for key, one in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        return "[\n" + ",\n".join(inner + pretty(one, inner) for one in value) + f"\n{indent}]"
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and len(text) > MOST_IN_LINE:
        filled = _filled([json.dumps(one, ensure_ascii=False) for one in value])
        return "[\n" + textwrap.indent("\n".join(filled), inner) + f"\n{indent}]"
    return text


def _filled(values: Sequence[str]) -> Iterator[str]:
    """Lines of about a hundred characters, broken between values."""
    line = ""
    for value in values:
        if line and len(line) + len(value) > MOST_IN_LINE:
            yield line.rstrip()
            line = ""
        line += f"{value}, "
    yield line.removesuffix(", ")
