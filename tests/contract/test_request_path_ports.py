"""What every implementation of recall, rank and recommend does: in this process and over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DeadlineExceeded, InvalidArgument, NotFound, ReleaseNotLoaded
from engine.features import Event, UserContext
from engine.release import set_current
from engine.types import ItemFilter, RecommendQuery, UserEvent, UserProfile
from engine.vocabulary import CHANNELS, Degradation
from services import bootstrap
from services.common.ports import RankPort, RecallPort, RecommendPort, UserPort
from services.common.rpc import App, Server
from services.common.values import now_ms
from services.settings import Settings
from tests.support.redis_server import RedisServer, free_port
from tests.support.releases import records, write_release
from tests.support.served import APPS, store_catalogue

pytestmark = pytest.mark.contract

T = 5.0
NOBODY_LISTENS = f"http://127.0.0.1:{free_port()}"


@dataclass
class RequestPath:
    """The ports of one transport, and the settings they were made from."""

    user: UserPort
    recall: RecallPort
    rank: RankPort
    recommend: RecommendPort
    settings: Settings


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    set_current(write_release(folder).name, folder)
    return folder


@pytest.fixture(scope="module", params=("in process", "separate", "together"))
def path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, artifacts: Path
) -> Iterator[RequestPath]:
    """All services on a real Redis with the tiny catalogue, ONNX, and a Milvus that is away."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield from _served(server.url, artifacts, request.param)
    server.stop()


def _served(redis_url: str, artifacts: Path, transport: str) -> Iterator[RequestPath]:
    store_catalogue(redis_url)
    values = {
        "_env_file": None,
        "redis_url": redis_url,
        "artifacts_dir": artifacts,
        "rank_predictor": "onnx://",
        "milvus_uri": NOBODY_LISTENS,
        "deadline_ms": 5_000,
    }
    settings = Settings.model_validate(values)
    if transport == "in process":
        yield from _in_process(settings)
        return
    servers: list[Server] = []

    def serve(app: App) -> None:
        servers.append(Server(app, "127.0.0.1", 0).start())
        values[f"{app.name}_address"] = f"127.0.0.1:{servers[-1].port}"

    if transport == "together":
        for app in bootstrap.together_apps(settings):
            serve(app)
    else:
        for build in APPS:  # in this order each finds the addresses of those it asks
            serve(build(Settings.model_validate(values)))
    settings = Settings.model_validate(values)
    yield RequestPath(
        bootstrap.user_client(settings),
        bootstrap.recall_client(settings),
        bootstrap.rank_client(settings),
        bootstrap.recommend_client(settings),
        settings,
    )
    for server in reversed(servers):
        server.stop(0.2)


def _in_process(settings: Settings) -> Iterator[RequestPath]:
    user, item = bootstrap.user_service(settings), bootstrap.item_service(settings)
    recall, rank = bootstrap.recall_part(settings), bootstrap.rank_part(settings)
    recommend = bootstrap.recommend_part(settings, user, item, recall.service, rank.service)
    for part in (recall, rank, recommend):
        part.ready()
    yield RequestPath(user, recall.service, rank.service, recommend.service, settings)
    for part in (recommend, rank, recall):
        part.close()


def shopper() -> UserContext:
    now = now_ms()
    events = [Event("i3", "click", now - 10), Event("i5", "purchase", now - 90_000_000)]
    return UserContext("u1", {"age": "2", "sex": "1"}, events, now)


def test_recall_names_candidates_of_all_channels_without_milvus_and_says_so(path: RequestPath) -> None:
    result = path.recall.recall_items(shopper(), 200, T)
    assert len(result.candidates) == 200
    assert result.release == "tiny-20240101T000000Z"
    assert result.degraded == {Degradation.INDEX}
    assert [report.channel for report in result.channels] == list(CHANNELS)
    best = result.candidates[0]
    assert best.channels[0] == "bought_again"
    assert best.reason_item_id == "i5"
    assert 0 < best.score <= 1


def test_recall_keeps_to_channels_filter_and_release(path: RequestPath) -> None:
    wanted = ItemFilter(categories=frozenset({"leaf4"}), price_max=40, exclude_item_ids=frozenset({"i4"}))
    result = path.recall.recall_items(
        shopper(), 50, T, channels=("popular",), item_filter=wanted, release="tiny-20240101T000000Z"
    )
    by_id = {record["sku_id"]: record for record in records()}
    assert result.candidates
    assert "i4" not in {one.item_id for one in result.candidates}
    assert all("leaf4" in by_id[one.item_id]["category_path"] for one in result.candidates)
    assert all(one.channels == ("popular",) for one in result.candidates)


def test_recall_refuses_what_is_wrong_by_name(path: RequestPath) -> None:
    with pytest.raises(InvalidArgument, match="top_k: must not be negative, not -1"):
        path.recall.recall_items(shopper(), -1, T)
    with pytest.raises(InvalidArgument, match="channels: 'x' is none of two_tower"):
        path.recall.recall_items(shopper(), 10, T, channels=("x",))
    with pytest.raises(ReleaseNotLoaded, match="'other' is not loaded"):
        path.recall.recall_items(shopper(), 10, T, release="other")
    with pytest.raises(InvalidArgument, match="item_id: is 10240 bytes"):
        path.recall.similar_items("x" * 10_240, 10, T)
    with pytest.raises(NotFound, match="no-such"):
        path.recall.similar_items("no-such", 10, T)


def test_similar_items_and_embeddings_name_their_release(path: RequestPath) -> None:
    similar = path.recall.similar_items("i3", 10, T)
    assert len(similar.candidates) == 10
    embedding, release = path.recall.encode_user(shopper(), T)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    assert similar.release == release == "tiny-20240101T000000Z"


def test_rank_scores_in_the_order_asked_for_and_lists_what_is_missing(path: RequestPath) -> None:
    result = path.rank.rank_items(shopper(), ["i5", "nope", "i6"], T)
    assert result.missing_ids == ("nope",)
    assert result.scores.dtype == np.float32
    assert result.scores[1] == -1
    assert 1 >= result.scores[0] > result.scores[2] >= 0


def test_another_spelling_of_an_id_is_the_same_id(path: RequestPath) -> None:
    assert path.recall.similar_items(" i3 ", 10, T) == path.recall.similar_items("i3", 10, T)
    ranked = path.rank.rank_items(shopper(), [" i5", "7.0", "i6"], T)
    assert ranked.missing_ids == ("7",)
    with pytest.raises(InvalidArgument, match="item_ids: must be distinct"):
        path.rank.rank_items(shopper(), ["i5", " i5"], T)
    shown = path.recommend.similar_items("i3", T, page_size=5).items
    again = path.recommend.similar_items(" i3 ", T, page_size=5).items
    assert [item.item_id for item in again] == [item.item_id for item in shown]
    without = ItemFilter(exclude_item_ids=frozenset([f" {shown[0].item_id} "]))
    assert shown[0].item_id not in [
        item.item_id for item in path.recommend.similar_items("i3", T, item_filter=without).items
    ]
    session = RecommendQuery(session_item_ids=(" i3",))
    assert path.recommend.recommend(session, T).items == (
        path.recommend.recommend(RecommendQuery(session_item_ids=("i3",)), T).items
    )
    with pytest.raises(InvalidArgument, match=r"session_item_ids\[0\]: is a word for 'unknown'"):
        path.recommend.recommend(RecommendQuery(session_item_ids=("nan",)), T)


def test_rank_refuses_what_is_wrong_by_name(path: RequestPath) -> None:
    with pytest.raises(InvalidArgument, match="item_ids: must be 1 to 1,000 ids, not 0"):
        path.rank.rank_items(shopper(), [], T)
    with pytest.raises(ReleaseNotLoaded):
        path.rank.rank_items(shopper(), ["i1"], T, release="other")


def test_scores_are_explained_as_they_are_ranked(path: RequestPath) -> None:
    ids = ["i5", "nope", "i6"]
    explained = path.rank.explain_items(shopper(), ids, T)
    ranked = path.rank.rank_items(shopper(), ids, T)
    assert explained.missing_ids == ("nope",)
    assert explained.release == ranked.release
    assert [item.item_id for item in explained.items] == ["i5", "i6"]
    for item, score in zip(explained.items, ranked.scores[[0, 2]], strict=True):
        assert item.score == pytest.approx(float(score), abs=1e-6)
        effects = [abs(part.effect) for part in item.contributions]
        assert effects == sorted(effects, reverse=True)
        assert min(effects) > 0
        assert all(part.feature and part.value for part in item.contributions)


def test_explain_refuses_what_is_wrong_by_name(path: RequestPath) -> None:
    for bad in ([], [f"i{row}" for row in range(51)], ["i1", "i1"], ["x" * 10_240], [""]):
        with pytest.raises(InvalidArgument, match="item_ids"):
            path.rank.explain_items(shopper(), bad, T)
    with pytest.raises(ReleaseNotLoaded):
        path.rank.explain_items(shopper(), ["i1"], T, release="other")
    with pytest.raises(DeadlineExceeded):
        path.rank.explain_items(shopper(), ["i1"], 0.0)


def test_a_known_shopper_gets_a_full_page_with_details_reasons_and_a_token(path: RequestPath) -> None:
    path.user.upsert_users([UserProfile("u1", {"age": "2"})], T)
    events = [UserEvent("u1", item, "purchase", now_ms() - 90_000_000) for item in ("i5", "i17")]
    path.user.record_user_events(events, T)
    result = path.recommend.recommend(RecommendQuery(user_id="u1"), T)
    assert len(result.items) == 20
    assert result.user_known
    assert result.degraded == {Degradation.INDEX}
    assert result.release == "tiny-20240101T000000Z"
    assert 0 < len(result.attribution_token) <= 256
    assert set(result.timings_ms) == {"user", "recall", "rank", "item", "total"}
    for shown in result.items:
        assert shown.item is not None
        assert shown.item.title == f"Item {shown.item_id[1:]}"
        assert 0 <= shown.score <= 1
        assert shown.channels
        assert shown.reason.kind != "unspecified"


def test_three_events_change_the_very_next_list(path: RequestPath) -> None:
    path.user.upsert_users([UserProfile("u1", {"age": "2"})], T)
    before = path.recommend.recommend(RecommendQuery(user_id="u1"), T)
    clicks = [UserEvent("u1", f"i{row}", "click") for row in (8, 20, 44)]
    path.user.record_user_events(clicks, T)
    after = path.recommend.recommend(RecommendQuery(user_id="u1"), T)
    assert [item.item_id for item in after.items] != [item.item_id for item in before.items]
    assert sum(item.reason.item_id in {"i8", "i20", "i44"} for item in after.items) >= 4


def test_demographics_and_session_of_a_shopper_without_id_change_the_list(path: RequestPath) -> None:
    by_age = [path.recommend.recommend(RecommendQuery(profile={"age": age}), T) for age in ("1", "3")]
    session = path.recommend.recommend(RecommendQuery(session_item_ids=("i3",)), T)
    lists = [[item.item_id for item in one.items] for one in (*by_age, session)]
    assert all(len(one) == 20 for one in lists)
    assert lists[0] != lists[1] != lists[2]
    assert not by_age[0].user_known


def test_what_is_made_unavailable_leaves_the_list(path: RequestPath) -> None:
    query = RecommendQuery(profile={"age": "2"})
    top = path.recommend.recommend(query, T).items[0].item_id
    bootstrap.item_service(path.settings).set_availability([top], False, T)
    assert top not in [item.item_id for item in path.recommend.recommend(query, T).items]


def test_similar_items_come_with_details(path: RequestPath) -> None:
    result = path.recommend.similar_items("i3", T, page_size=5)
    assert len(result.items) == 5
    assert all(item.item for item in result.items)
    with pytest.raises(NotFound, match="no-such"):
        path.recommend.similar_items("no-such", T)


def test_a_rail_shows_what_its_channel_names_and_says_so(path: RequestPath) -> None:
    rail = path.recommend.recommend(RecommendQuery(channels=("trending",), placement="trending"), T)
    named = path.recall.recall_items(shopper(), 60, T, channels=("trending",))
    assert len(rail.items) == 20
    assert {item.item_id for item in rail.items} <= {one.item_id for one in named.candidates}
    assert all(item.channels == ("trending",) for item in rail.items)
    assert all(item.reason.kind == "trending" for item in rail.items)


def test_similar_items_are_bought_together_or_alternatives(path: RequestPath) -> None:
    for channel in ("item_to_item", "two_tower"):
        recalled = path.recall.similar_items("i3", 5, T, channels=(channel,))
        shown = path.recommend.similar_items("i3", T, page_size=5, channels=(channel,))
        assert [one.channels for one in recalled.candidates] == [(channel,)] * 5
        assert [item.item_id for item in shown.items] == [one.item_id for one in recalled.candidates]
    with pytest.raises(InvalidArgument, match="channels: 'popular' is none of item_to_item, two_tower"):
        path.recall.similar_items("i3", 5, T, channels=("popular",))
    with pytest.raises(InvalidArgument, match="channels: 'popular' is none of item_to_item, two_tower"):
        path.recommend.similar_items("i3", T, channels=("popular",))


BAD_QUERIES = [
    (RecommendQuery(user_id="u", channels=("x",)), "channels: 'x' is none of two_tower"),
    (RecommendQuery(user_id="u", channels=("x" * 10_240,)), "channels: 'xxx.* is none of two_tower"),
    (RecommendQuery(user_id="u", channels=("new",) * 101), "channels: has 101 elements"),
    (RecommendQuery(channels=("trending", "bought_again")), "user_id: one of"),
    (RecommendQuery(), "user_id: one of"),
    (RecommendQuery(user_id="u", page_size=-1), "page_size: must not be negative, not -1"),
    (RecommendQuery(user_id="x" * 10_240), "user_id: is 10240 bytes long"),
    (RecommendQuery(profile={"shoe": "9"}), "attributes.shoe: is not a feature"),
    (RecommendQuery(user_id="u", placement="A b"), "placement: must be"),
    (RecommendQuery(user_id="u", candidate_count=7), "candidate_count: must be 50 to 500, not 7"),
    (RecommendQuery(user_id="u", filter=ItemFilter(price_min=-1)), "filter.price_min: must be at least 0"),
    (RecommendQuery(session_item_ids=("i1",) * 51), "session_item_ids: has 51 elements"),
]


def test_recommend_refuses_what_is_wrong_by_name(path: RequestPath) -> None:
    for query, problem in BAD_QUERIES:
        with pytest.raises(InvalidArgument, match=problem):
            path.recommend.recommend(query, T)


def test_no_time_is_deadline_exceeded(path: RequestPath) -> None:
    with pytest.raises(DeadlineExceeded):
        path.recommend.recommend(RecommendQuery(user_id="u"), 0.0)
