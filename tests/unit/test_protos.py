"""What the contract promises besides messages: names in other languages, deadlines and retries."""

from __future__ import annotations

import pytest
from ecrs.common.v1 import types_pb2
from ecrs.item.v1 import item_service_pb2
from ecrs.rank.v1 import rank_service_pb2
from ecrs.recall.v1 import recall_service_pb2
from ecrs.recommend.v1 import recommend_service_pb2
from ecrs.user.v1 import user_service_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileOptions

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
