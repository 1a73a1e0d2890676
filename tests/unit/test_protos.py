"""What the contract promises besides messages: names in other languages, deadlines and retries."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from ecrs.common.v1 import types_pb2
from ecrs.item.v1 import item_service_pb2
from ecrs.rank.v1 import rank_service_pb2
from ecrs.recall.v1 import recall_service_pb2
from ecrs.recommend.v1 import recommend_service_pb2
from ecrs.user.v1 import user_service_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileOptions

from services.common.rpc.service_config import service_config

pytestmark = pytest.mark.unit

SERVICES: dict[str, FileDescriptor] = {
    "user": user_service_pb2.DESCRIPTOR,
    "item": item_service_pb2.DESCRIPTOR,
    "recall": recall_service_pb2.DESCRIPTOR,
    "rank": rank_service_pb2.DESCRIPTOR,
    "recommend": recommend_service_pb2.DESCRIPTOR,
}


@pytest.mark.parametrize(("name", "file"), [("common", types_pb2.DESCRIPTOR), *SERVICES.items()])
def test_every_file_says_its_name_in_other_languages(name: str, file: FileDescriptor) -> None:
    options = FileOptions.FromString(file.GetOptions().SerializeToString())
    title = name.capitalize()
    assert options.java_package == f"com.ecrs.{name}.v1"
    assert options.java_multiple_files
    assert options.java_outer_classname == ("TypesProto" if name == "common" else f"{title}ServiceProto")
    assert options.go_package == f"ecrs/{name}/v1;{name}v1"
    assert options.csharp_namespace == f"Ecrs.{title}.V1"
    assert options.php_namespace == f"Ecrs\\{title}\\V1"
    assert options.ruby_package == f"Ecrs::{title}::V1"


@pytest.mark.parametrize("name", SERVICES)
def test_every_method_has_a_deadline_and_is_repeated_only_where_that_is_safe(name: str) -> None:
    (service,) = SERVICES[name].services_by_name.values()
    config: dict[str, Any] = json.loads(service_config(name).text)
    named = Counter(
        (entry["service"], entry["method"]) for part in config["methodConfig"] for entry in part["name"]
    )
    assert named == {(service.full_name, method.name): 1 for method in service.methods}
    for part in config["methodConfig"]:
        assert 0 < float(part["timeout"].removesuffix("s")) <= 60
        retried = {entry["method"] for entry in part["name"]} if "retryPolicy" in part else set()
        assert "RecordUserEvents" not in retried  # twice would count twice
        if retried:
            assert part["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


def test_retries_come_after_a_random_pause_within_the_policys_bounds() -> None:
    policy = service_config("item").retry
    assert policy.max_attempts == 2
    pauses = {policy.pause_s(1) for _ in range(100)}
    assert len(pauses) > 50
    assert all(0 <= pause <= policy.initial_s for pause in pauses)
