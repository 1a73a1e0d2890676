"""`python -m clients.python.cli`: ask the services from a terminal.

The original's: `as <uid>`, `as <six demographics>`, `um <uid>`, `cm <id,id>`, `recall <uid>`, `rank`.
Ours: `recommend`, `similar`, `search`, `item`, `event`. Services that ask for a token get that of
ECRS_SERVICE_TOKEN.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence

import grpc

from clients.python import modern, original
from clients.python.credentials import with_token
from clients.python.output import Failure, Table
from services.running import running_settings
from services.settings import Settings

PORTS = {"user": 8910, "item": 8920, "recommend": 8930, "recall": 8950, "rank": 8960}
EVENT_TYPES = ("view", "click", "cart", "purchase", "favorite", "comment", "rate", "dislike", "impression")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 when the service says no or is away, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    try:
        settings = running_settings() if options.port_offset is None else Settings()
    except ValueError as error:
        return _fail(" ".join(str(error).split()))
    offset = settings.port_offset if options.port_offset is None else options.port_offset
    channels: dict[str, grpc.Channel] = {}

    def connect(service: str) -> grpc.Channel:
        address = f"{options.host}:{PORTS[service] + offset}"
        if service not in channels:
            channels[service] = grpc.insecure_channel(address)
        return with_token(channels[service], settings.service_token.get_secret_value())

    started = time.perf_counter()
    try:
        table = COMMANDS[options.command](options, connect)
    except Failure as error:
        return _fail(str(error))
    except grpc.RpcError as error:
        # Every RpcError of a unary call is a Call too: it knows its status.
        reason = f"{error.code().name}: {error.details()}" if isinstance(error, grpc.Call) else str(error)
        return _fail(reason)
    finally:
        for channel in channels.values():
            channel.close()
    took = (time.perf_counter() - started) * 1e3
    # A reader that has seen enough (head) closes the pipe: not an error.
    with contextlib.suppress(BrokenPipeError):
        print(table.as_json() if options.json else table.as_text())
        sys.stdout.flush()
    if not options.json:
        print(f"{len(table.rows)} rows in {took:.1f} ms", file=sys.stderr)
    return 0


Command = Callable[[argparse.Namespace, original.Open], Table]


def _recommend(options: argparse.Namespace, connect: original.Open) -> Table:
    session = [part for part in options.session.split(",") if part]
    return modern.recommend(
        connect,
        options.user_id,
        options.profile,
        session,
        options.channel,
        options.page_size,
        options.timeout,
    )


COMMANDS: dict[str, Command] = {
    "as": lambda o, connect: original.recommend(connect, o.values, o.timeout),
    "um": lambda o, connect: original.user(connect, o.user_id, o.timeout),
    "cm": lambda o, connect: original.items(connect, o.item_ids, o.timeout),
    "recall": lambda o, connect: original.recall(connect, o.user_id, o.channel, o.count, o.timeout),
    "rank": lambda o, connect: original.rank(connect, o.user_id, o.items, o.timeout),
    "recommend": _recommend,
    "similar": lambda o, connect: modern.similar(connect, o.item_id, o.channel, o.page_size, o.timeout),
    "search": lambda o, connect: modern.search(connect, " ".join(o.words), o.page_size, o.timeout),
    "item": lambda o, connect: modern.item(connect, o.item_id, o.timeout),
    "event": lambda o, connect: modern.event(connect, o.user_id, o.type, o.item_id, o.token, o.timeout),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clients.python.cli", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="where the services are (%(default)s)")
    parser.add_argument(
        "--port-offset", type=int, help="added to every port (default: as the copy has it that runs here)"
    )
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds a call may take (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a row")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    command = commands.add_parser("as", help="recommend for a user id, or for six demographics")
    command.add_argument("values", nargs="+", metavar="uid | " + " ".join(original.DEMOGRAPHICS))
    commands.add_parser("um", help="look up a user").add_argument("user_id", metavar="uid")
    commands.add_parser("cm", help="look up items").add_argument("item_ids", metavar="id,id")
    command = commands.add_parser("recall", help="candidates for a user")
    command.add_argument("user_id", metavar="uid")
    command.add_argument("--channel", default="", help="only this channel")
    command.add_argument("--count", type=_count, default=0, help="how many; 0 for 100 (%(default)s)")
    command = commands.add_parser("rank", help="scores of items for a user")
    command.add_argument("user_id", metavar="uid", nargs="?", default="1")
    command.add_argument("--items", default="", metavar="id,id", help="default: what recall names")
    command = commands.add_parser("recommend", help="a list with titles, channels and reasons")
    command.add_argument("user_id", metavar="uid", nargs="?", default="")
    command.add_argument("--profile", action="append", default=[], metavar="name=value")
    command.add_argument("--session", default="", metavar="id,id", help="items looked at, newest first")
    command.add_argument("--channel", action="append", default=[], help="only this one; may be repeated")
    command.add_argument("--page-size", type=int)
    command = commands.add_parser("similar", help="items like one")
    command.add_argument("item_id", metavar="id")
    command.add_argument("--channel", action="append", default=[], help="item_to_item, two_tower or content")
    command.add_argument("--page-size", type=int)
    command = commands.add_parser("search", help="items by words")
    command.add_argument("words", nargs="+")
    command.add_argument("--page-size", type=int)
    command = commands.add_parser("item", help="one item with its description and picture")
    command.add_argument("item_id", metavar="id")
    command = commands.add_parser("event", help="record an event")
    command.add_argument("user_id", metavar="uid")
    command.add_argument("type", choices=EVENT_TYPES)
    command.add_argument("item_id", metavar="id")
    command.add_argument("--token", default="", help="attribution token of the list")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 4294967295")
    return value


def _fail(problem: str) -> int:
    print(f"error: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
