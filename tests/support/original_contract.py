"""The original contract as a client in the wild has it: built from the documented tables, not from our stubs.

Messages, fields, numbers and method names are written down here once more, by hand, and made into descriptors
at run time in a pool of their own. If our protos drift from the contract, these clients fail.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_FLOAT = descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT
_UINT32 = descriptor_pb2.FieldDescriptorProto.TYPE_UINT32
_ONE = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_MANY = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_SCALARS = {"string": _STRING, "float": _FLOAT, "uint32": _UINT32}

USER_INFO = (
    "user_id=1 string", "age=2 string", "sex=3 string", "city_level=4 string",
    "province=5 string", "city=6 string", "country=7 string",
)  # fmt: skip
ITEM_INFO = ("sku_id=1 string", "brand=2 string", "shopid=3 string", "cate=4 string", "rank_score=5 float")
ERROR = ("code=1 uint32", "text=2 string")
SCORE_PAIR = ("nid=1 string", "score=2 float")

# package: message: fields ("name=number type", "*" before the type of a repeated one)
CONTRACT: dict[str, dict[str, tuple[str, ...]]] = {
    "user_info": {"UserInfo": USER_INFO},
    "item_info": {"ItemInfo": ITEM_INFO},
    "um": {
        "UserModelRequest": ("log_id=1 string", "user_id=2 string"),
        "UserModelResponse": (
            "error=1 .um.UserModelResponse.Error",
            "user_info=2 .user_info.UserInfo",
        ),
        "UserModelResponse.Error": ERROR,
    },
    "cm": {
        "CMRequest": ("log_id=1 string", "item_ids=2 *string"),
        "CMResponse": ("error=1 .cm.CMResponse.Error", "item_infos=2 *.item_info.ItemInfo"),
        "CMResponse.Error": ERROR,
    },
    "recall": {
        "RecallRequest": (
            "log_id=1 string",
            "user_info=2 .user_info.UserInfo",
            "recall_type=3 string",
            "request_num=4 uint32",
        ),
        "RecallResponse": (
            "error=1 .recall.RecallResponse.Error",
            "score_pairs=2 *.recall.RecallResponse.ScorePair",
        ),
        "RecallResponse.Error": ERROR,
        "RecallResponse.ScorePair": SCORE_PAIR,
    },
    "": {
        "RankRequest": (
            "log_id=1 string",
            "user_info=2 .user_info.UserInfo",
            "item_infos=3 *.item_info.ItemInfo",
        ),
        "RankResponse": ("error=1 .RankResponse.Error", "score_pairs=2 *.RankResponse.ScorePair"),
        "RankResponse.Error": ERROR,
        "RankResponse.ScorePair": SCORE_PAIR,
    },
    "as": {
        "ASRequest": ("log_id=1 string", "user_id=2 string", "user_info=3 .user_info.UserInfo"),
        "ASResponse": ("error=1 .as.ASResponse.Error", "item_infos=2 *.item_info.ItemInfo"),
        "ASResponse.Error": ERROR,
    },
}
METHODS = {
    "um_call": ("/um.UMService/um_call", "um.UserModelRequest", "um.UserModelResponse"),
    "cm_call": ("/cm.CMService/cm_call", "cm.CMRequest", "cm.CMResponse"),
    "recall": ("/recall.RecallService/recall", "recall.RecallRequest", "recall.RecallResponse"),
    "rank_predict": ("/RankService/rank_predict", "RankRequest", "RankResponse"),
    "as_call": ("/as.ASService/as_call", "as.ASRequest", "as.ASResponse"),
}


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for package, messages in CONTRACT.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"tables/{package or 'rank'}.proto", package=package, syntax="proto3"
        )
        if not package.endswith("_info"):
            file.dependency.extend(("tables/user_info.proto", "tables/item_info.proto"))
        made: dict[str, Any] = {}
        for name, fields in messages.items():
            outer, _, nested = name.partition(".")
            message = made[outer].nested_type.add(name=nested) if nested else file.message_type.add(name=name)
            made[name] = message
            for text in fields:
                _add_field(message, text)
        pool.Add(file)
    return pool


def _add_field(message: Any, text: str) -> None:
    name_and_number, kind = text.split(" ")
    name, number = name_and_number.split("=")
    label = _MANY if kind.startswith("*") else _ONE
    kind = kind.lstrip("*")
    if kind.startswith("."):
        message.field.add(name=name, number=int(number), label=label, type_name=kind,
                          type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE)  # fmt: skip
    else:
        message.field.add(name=name, number=int(number), label=label, type=_SCALARS[kind])


_POOL = _pool()


def message_class(name: str) -> Any:
    """The class of a message by its full name, for example "um.UserModelRequest"."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


def user_info(**fields: str) -> Any:
    """A UserInfo."""
    return message_class("user_info.UserInfo")(**fields)


def item_info(**fields: str) -> Any:
    """An ItemInfo."""
    return message_class("item_info.ItemInfo")(**fields)


def call(address: str, method: str, *, timeout_s: float = 5.0, **fields: Any) -> Any:
    """Call one of the five methods, for example `call(address, "um_call", user_id="5")`."""
    path, request, response = METHODS[method]
    with grpc.insecure_channel(address) as channel:
        invoke = channel.unary_unary(
            path,
            request_serializer=message_class(request).SerializeToString,
            response_deserializer=message_class(response).FromString,
        )
        return invoke(message_class(request)(**fields), timeout=timeout_s)
