"""Commands over the original contract of 2022: `as`, `um`, `cm`, `recall`, `rank`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
from original import (
    as_pb2,
    as_pb2_grpc,
    cm_pb2,
    cm_pb2_grpc,
    item_info_pb2,
    rank_pb2,
    rank_pb2_grpc,
    recall_pb2,
    recall_pb2_grpc,
    um_pb2,
    um_pb2_grpc,
    user_info_pb2,
)

from clients.python.output import Failure, Table

DEMOGRAPHICS = ("age", "sex", "city_level", "province", "city", "country")
NEW_USER = "-1"
_OK = 200
_LOG_ID = "cli"

Open = Callable[[str], grpc.Channel]
"""An open channel to a service, by name."""


def recommend(connect: Open, words: Sequence[str], timeout_s: float) -> Table:
    """`as <uid>` or `as <age> <sex> <city_level> <province> <city> <country>`."""
    if len(words) == 1:
        request = as_pb2.ASRequest(log_id=_LOG_ID, user_id=words[0])
    elif len(words) == len(DEMOGRAPHICS):
        given = user_info_pb2.UserInfo(**dict(zip(DEMOGRAPHICS, words, strict=True)))
        request = as_pb2.ASRequest(log_id=_LOG_ID, user_id=NEW_USER, user_info=given)
    else:
        raise Failure(f"as: give one user id, or six values: {' '.join(DEMOGRAPHICS)}")
    response = as_pb2_grpc.ASServiceStub(connect("recommend")).as_call(request, timeout=timeout_s)
    _check(response.error)
    rows = [
        (item.sku_id, item.brand, item.shopid, item.cate, f"{item.rank_score:.4f}")
        for item in response.item_infos
    ]
    return Table(("sku_id", "brand", "shopid", "cate", "rank_score"), rows, response.error.text)


def user(connect: Open, user_id: str, timeout_s: float) -> Table:
    """`um <uid>`."""
    request = um_pb2.UserModelRequest(log_id=_LOG_ID, user_id=user_id)
    response = um_pb2_grpc.UMServiceStub(connect("user")).um_call(request, timeout=timeout_s)
    _check(response.error)
    columns = ("user_id", *DEMOGRAPHICS)
    return Table(columns, [tuple(getattr(response.user_info, name) for name in columns)])


def items(connect: Open, item_ids: str, timeout_s: float) -> Table:
    """`cm <id,id>`."""
    wanted = [part for part in item_ids.split(",") if part]
    request = cm_pb2.CMRequest(log_id=_LOG_ID, item_ids=wanted)
    response = cm_pb2_grpc.CMServiceStub(connect("item")).cm_call(request, timeout=timeout_s)
    _check(response.error)
    rows = [(item.sku_id, item.brand, item.shopid, item.cate) for item in response.item_infos]
    return Table(("sku_id", "brand", "shopid", "cate"), rows, response.error.text)


def recall(connect: Open, user_id: str, channel: str, count: int, timeout_s: float) -> Table:
    """`recall <uid>`."""
    request = recall_pb2.RecallRequest(
        log_id=_LOG_ID,
        user_info=user_info_pb2.UserInfo(user_id=user_id),
        recall_type=channel,
        request_num=count,
    )
    response = recall_pb2_grpc.RecallServiceStub(connect("recall")).recall(request, timeout=timeout_s)
    _check(response.error)
    rows = [(pair.nid, f"{pair.score:.4f}") for pair in response.score_pairs]
    return Table(("nid", "score"), rows)


def rank(connect: Open, user_id: str, item_ids: str, timeout_s: float) -> Table:
    """`rank`: scores the items named, or without any those that recall names for the user."""
    wanted = [part for part in item_ids.split(",") if part]
    if not wanted:
        wanted = [row[0] for row in recall(connect, user_id, "", 20, timeout_s).rows]
    request = rank_pb2.RankRequest(
        log_id=_LOG_ID,
        user_info=user_info_pb2.UserInfo(user_id=user_id),
        item_infos=[item_info_pb2.ItemInfo(sku_id=item_id) for item_id in wanted],
    )
    response = rank_pb2_grpc.RankServiceStub(connect("rank")).rank_predict(request, timeout=timeout_s)
    _check(response.error)
    rows = [(pair.nid, f"{pair.score:.4f}") for pair in response.score_pairs]
    return Table(("nid", "score"), rows, response.error.text)


def _check(
    error: as_pb2.ASResponse.Error
    | um_pb2.UserModelResponse.Error
    | cm_pb2.CMResponse.Error
    | recall_pb2.RecallResponse.Error
    | rank_pb2.RankResponse.Error,
) -> None:
    if error.code != _OK:
        raise Failure(f"code {error.code}: {error.text}")
