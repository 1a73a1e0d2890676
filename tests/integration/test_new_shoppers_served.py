"""New shoppers of a release trained on the sample: different profiles get clearly different lists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from ecrs.common.v1 import types_pb2
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs
from original import as_pb2, as_pb2_grpc, user_info_pb2

from engine.release import Release, current
from services.settings import PORTS
from tests.support.shop import Shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PROFILES = [
    {"age": age, "sex": sex, "city_level": level}
    for age, sex, level in (
        ("3", "0", "1"),
        ("4", "1", "4"),
        ("5", "0", "3"),
        ("4", "0", "5"),
        ("3", "1", "3"),
    )
]


RECOVERS_S = 60.0  # what a loaded machine made slow is asked again by then


@pytest.fixture(scope="module")
def channel(shop: Shop) -> Iterator[grpc.Channel]:
    """To recommend, once its answer lacks nothing: other tests use the same shop, and load the machine."""
    with grpc.insecure_channel(f"127.0.0.1:{PORTS['recommend'] + shop.offset}") as opened:
        end = time.monotonic() + RECOVERS_S
        while (missing := list(by_profile(opened, PROFILES[0]).degraded)) and time.monotonic() < end:
            time.sleep(0.5)
        assert not missing, f"still degraded after {RECOVERS_S:g} s: {missing}"
        yield opened


def by_profile(channel: grpc.Channel, profile: dict[str, str]) -> Any:
    values = {name: types_pb2.Value(text=value) for name, value in profile.items()}
    query = pb.RecommendRequest(profile=types_pb2.UserProfile(attributes=values), page_size=20)
    return stubs.RecommendServiceStub(channel).Recommend(query, timeout=10)


def test_two_profiles_share_fewer_than_fifteen_of_twenty(channel: grpc.Channel) -> None:
    lists = [{item.item_id for item in by_profile(channel, profile).items} for profile in PROFILES]
    assert all(len(one) == 20 for one in lists)
    assert max(len(one & other) for one, other in combinations(lists, 2)) < 15


def test_in_the_original_contract_too(channel: grpc.Channel) -> None:
    lists = []
    for profile in PROFILES:
        request = as_pb2.ASRequest(log_id="t", user_id="-1", user_info=user_info_pb2.UserInfo(**profile))
        response = as_pb2_grpc.ASServiceStub(channel).as_call(request, timeout=10)
        assert response.error.code == 200
        lists.append({item.sku_id for item in response.item_infos[:20]})
    assert max(len(one & other) for one, other in combinations(lists, 2)) < 15


def test_a_reason_names_a_segment_that_buys_more_of_it(shop: Shop, channel: grpc.Channel) -> None:
    folder: Path = shop.folder / "releases"
    release = Release.load(folder / str(current(folder)))
    segments, named = release.segments, 0
    for profile in PROFILES:
        for item in by_profile(channel, profile).items:
            if item.reason.segment:
                named += 1
                name, _, value = item.reason.segment.partition("=")
                assert profile[name] == value
                place = np.searchsorted(segments.rows, release.items.row_of([item.item_id])[0])
                assert segments.lifts[segments.names.index(item.reason.segment), place] > 1
    assert named > 20
