"""The composition root: from settings to services, clients and apps. Nothing else makes connections.

`<name>_service` and `<name>_part` are a service in this process, `<name>_client` the same port over gRPC,
`<name>_app` what a server process of it runs; `together_apps` are all five in one process. Nothing connects
before its first call, so a dependency may start later.
"""

from services.bootstrap.parts import Part, target
from services.bootstrap.request_path import (
    rank_app,
    rank_client,
    rank_part,
    recall_app,
    recall_client,
    recall_part,
    recommend_app,
    recommend_client,
    recommend_part,
)
from services.bootstrap.stores import (
    item_app,
    item_client,
    item_part,
    item_service,
    user_app,
    user_client,
    user_service,
)
from services.bootstrap.together import together_apps
from services.bootstrap.web import WebClients, web_clients

__all__ = [
    "Part",
    "WebClients",
    "item_app",
    "item_client",
    "item_part",
    "item_service",
    "rank_app",
    "rank_client",
    "rank_part",
    "recall_app",
    "recall_client",
    "recall_part",
    "recommend_app",
    "recommend_client",
    "recommend_part",
    "target",
    "together_apps",
    "user_app",
    "user_client",
    "user_service",
    "web_clients",
]
