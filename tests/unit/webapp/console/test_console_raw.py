"""Raw calls: what a page shows is what went over the wire, and the command does the same."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from ecrs.recall.v1 import recall_service_pb2
from ecrs.recommend.v1 import recommend_service_pb2
from flask.testing import FlaskClient
from google.protobuf import json_format

from services.bootstrap import web_clients
from services.common.rpc import App, Server
from services.item.server import servicer as item_servicer
from services.rank.server import servicer as rank_servicer
from services.recall.server import servicer as recall_servicer
from services.recommend.server import servicer as recommend_servicer
from services.settings import Settings
from services.user.server import servicer as user_servicer
from tests.unit.webapp.console.world import World
from webapp import create_app
from webapp.console.trace import grpcurl, method_of, pretty

pytestmark = pytest.mark.unit


@pytest.fixture
def wired(console_settings: Settings, world: World) -> Iterator[FlaskClient]:
    """The console over real clients and servers, with fakes behind the servers."""
    parts = {
        "user": user_servicer(world.user),
        "item": item_servicer(world.item),
        "recall": recall_servicer(world.recall),
        "rank": rank_servicer(world.rank),
        "recommend": recommend_servicer(world.recommend),
    }
    addresses = {}
    with ExitStack() as stack:
        for name, part in parts.items():
            app = App(name, [part], ready=lambda: None, close=lambda: None)
            server = Server(app, "127.0.0.1", 0, default_deadline_s=5.0).start()
            stack.callback(server.stop, 0.1)
            addresses[f"{name}_address"] = f"127.0.0.1:{server.port}"
        settings = console_settings.model_copy(update=addresses)
        services = stack.enter_context(web_clients(settings))
        yield create_app(settings, services, cache_type="SimpleCache").test_client()


def calls(page: str) -> list[tuple[str, str, str, str]]:
    """(method, command, request, response) of each raw call."""
    found = []
    for part in page.split('<details class="call">')[1:]:
        blocks = [html.unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", part, re.DOTALL)]
        method = re.search(r"<code>(.*?)</code>", part)
        assert method
        found.append((method[1], *blocks))
    return found  # type: ignore[return-value]


def test_the_full_flow_shows_request_response_and_command(wired: FlaskClient) -> None:
    page = wired.get("/console/flow?user_id=1&feature_age=25-34&size=7").get_data(as_text=True)
    [(method, command, request, response)] = calls(page)
    assert method == "ecrs.recommend.v1.RecommendService/Recommend"
    sent = json_format.Parse(request, recommend_service_pb2.RecommendRequest())
    assert (sent.user_id, sent.page_size, sent.placement) == ("1", 7, "console")
    assert sent.profile.attributes["age"].text == "25-34"
    answered = json_format.Parse(response, recommend_service_pb2.RecommendResponse())
    assert len(answered.items) == 7
    words = shlex.split(command)
    assert words[:3] == ["grpcurl", "-plaintext", "-d"]
    assert json_format.Parse(words[3], recommend_service_pb2.RecommendRequest()) == sent
    assert re.fullmatch(r"127\.0\.0\.1:[0-9]+", words[4])
    assert words[5] == method


def test_recall_shows_the_call_of_the_view_only(wired: FlaskClient) -> None:
    page = wired.get("/console/recall?user_id=1&view=popular").get_data(as_text=True)
    shown = calls(page)
    assert [method.rpartition("/")[2] for method, *_ in shown] == [
        "GetUserContext",
        "RecallItems",
        "BatchGetItems",
    ]
    sent = json_format.Parse(shown[1][2], recall_service_pb2.RecallItemsRequest())
    assert list(sent.channels) == ["popular"]
    assert len(sent.context.event_item_ids) == 40


def test_a_call_that_failed_shows_its_status(wired: FlaskClient) -> None:
    page = wired.get("/console/similar?item_id=555").get_data(as_text=True)
    [(_, _, request, response)] = calls(page)[:1]
    assert json.loads(request)["item_id"] == "555"
    assert response.startswith("NOT_FOUND: ")


def test_services_are_asked_for_their_health_by_the_standard_protocol(wired: FlaskClient) -> None:
    page = wired.get("/console/").get_data(as_text=True)
    for name in ("user", "item", "recall", "rank", "recommend"):
        row = page.partition(f'<th scope="row">{name}</th>')[2].partition("</tr>")[0]
        assert re.search(r"</span> (ok|is not ready)", row)


def test_quotes_in_an_id_do_not_end_the_command() -> None:
    request = recall_service_pb2.SimilarItemsRequest(item_id="it's; rm -rf '$HOME' 中")
    words = shlex.split(grpcurl("127.0.0.1:8950", method_of(request), request))
    assert json.loads(words[3]) == {"item_id": "it's; rm -rf '$HOME' 中"}
    assert words[-1] == "ecrs.recall.v1.RecallService/SimilarItems"


def test_a_long_request_goes_by_standard_input() -> None:
    request = recall_service_pb2.SimilarItemsRequest(item_id="x" * 200_000)
    command = grpcurl("127.0.0.1:8950", method_of(request), request)
    assert command.startswith("grpcurl -plaintext -d @ 127.0.0.1:8950 ecrs.recall.v1.")
    assert command.endswith("\nJSON")


def test_pretty_json_is_json() -> None:
    value = {
        "empty": {},
        "none": [],
        "short": [1, 2],
        "long": [f"a, {number}" for number in range(100)],
        "deep": [{"x": [1.5, None, True]}, {}],
        "text": 'new\nline "quoted" 中',
    }
    text = pretty(value)
    assert json.loads(text) == value
    assert max(map(len, text.splitlines())) < 130
    assert len(text.splitlines()) < 40
