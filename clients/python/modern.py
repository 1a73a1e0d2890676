"""Commands over `ecrs.*.v1`: `recommend`, `similar`, `search`, `item`, `event`."""

from __future__ import annotations

from collections.abc import Sequence

from ecrs.common.v1 import types_pb2
from ecrs.item.v1 import item_service_pb2, item_service_pb2_grpc
from ecrs.recommend.v1 import recommend_service_pb2, recommend_service_pb2_grpc
from ecrs.user.v1 import user_service_pb2, user_service_pb2_grpc

from clients.python.original import Open
from clients.python.output import Failure, Table

_COLUMNS = ("item_id", "score", "title", "category", "price", "channels", "reason")


def recommend(
    connect: Open,
    user_id: str,
    profile: Sequence[str],
    session: Sequence[str],
    channels: Sequence[str],
    page_size: int | None,
    timeout_s: float,
) -> Table:
    """`recommend`: a list for a user, a profile (`age=45-54`), or the items of a session."""
    request = recommend_service_pb2.RecommendRequest(
        user_id=user_id, session_item_ids=session, channels=channels, page_size=page_size
    )
    for part in profile:
        name, found, value = part.partition("=")
        if not found:
            raise Failure(f"--profile {part}: write name=value, for example age=45-54")
        request.profile.attributes[name].text = value
    stub = recommend_service_pb2_grpc.RecommendServiceStub(connect("recommend"))
    response = stub.Recommend(request, timeout=timeout_s)
    known = "known" if response.user_known else "unknown"
    remark = f"user {known}, release {response.model_version}, token {response.attribution_token}"
    return _table(response.items, f"{remark}{_degraded(response.degraded)}")


def similar(
    connect: Open, item_id: str, channels: Sequence[str], page_size: int | None, timeout_s: float
) -> Table:
    """`similar <id>`: items like the given one."""
    request = recommend_service_pb2.SimilarItemsRequest(
        item_id=item_id, channels=channels, page_size=page_size
    )
    stub = recommend_service_pb2_grpc.RecommendServiceStub(connect("recommend"))
    response = stub.SimilarItems(request, timeout=timeout_s)
    return _table(response.items, f"release {response.model_version}{_degraded(response.degraded)}")


def search(connect: Open, query: str, page_size: int | None, timeout_s: float) -> Table:
    """`search <words>`: items of the catalogue."""
    request = item_service_pb2.SearchItemsRequest(query=query, page_size=page_size)
    stub = item_service_pb2_grpc.ItemServiceStub(connect("item"))
    response = stub.SearchItems(request, timeout=timeout_s)
    rows = [
        (item.item_id, item.title, " / ".join(item.category_path), _price(item)) for item in response.items
    ]
    meant = f", searched for {response.corrected_query!r}" if response.corrected_query else ""
    return Table(("item_id", "title", "category", "price"), rows, f"{response.total_count} in all{meant}")


def item(connect: Open, item_id: str, timeout_s: float) -> Table:
    """`item <id>`: all that the shop shows of an item."""
    stub = item_service_pb2_grpc.ItemServiceStub(connect("item"))
    found = stub.GetItem(item_service_pb2.GetItemRequest(item_id=item_id), timeout=timeout_s).item
    columns = ("item_id", "title", "category", "price", "available", "variant_of", "url", "image_url")
    row = (
        *(found.item_id, found.title, " / ".join(found.category_path), _price(found)),
        *("yes" if found.available else "no", found.variant_of, found.url, found.image_url),
    )
    return Table((*columns, "description"), [(*row, found.description)])


def event(connect: Open, user_id: str, kind: str, item_id: str, token: str, timeout_s: float) -> Table:
    """`event <uid> <type> <id>`: record that a user did something with an item."""
    number = types_pb2.EventType.Value(f"EVENT_TYPE_{kind.upper()}")
    made = user_service_pb2.UserEvent(user_id=user_id, item_id=item_id, type=number, attribution_token=token)
    stub = user_service_pb2_grpc.UserServiceStub(connect("user"))
    response = stub.RecordUserEvents(
        user_service_pb2.RecordUserEventsRequest(events=[made]), timeout=timeout_s
    )
    return Table(("recorded",), [(str(response.recorded_count),)])


def _table(items: Sequence[recommend_service_pb2.RecommendedItem], remark: str) -> Table:
    rows = [
        (
            item.item_id,
            f"{item.score:.4f}",
            item.item.title,
            " / ".join(item.item.category_path),
            _price(item.item),
            "+".join(item.channels),
            _reason(item.reason),
        )
        for item in items
    ]
    return Table(_COLUMNS, rows, remark)


def _price(item: item_service_pb2.Item) -> str:
    return f"{item.price:.2f}" if item.HasField("price") else ""


def _reason(reason: recommend_service_pb2.Reason) -> str:
    kind = recommend_service_pb2.ReasonKind.Name(reason.kind).removeprefix("REASON_KIND_").lower()
    about = reason.reason_item_title or reason.reason_item_id or reason.segment
    return f"{kind}: {about}" if about else kind


def _degraded(flags: Sequence[types_pb2.Degradation.ValueType]) -> str:
    names = [types_pb2.Degradation.Name(flag).removeprefix("DEGRADATION_") for flag in flags]
    return f", degraded by {' '.join(names)}" if names else ""
