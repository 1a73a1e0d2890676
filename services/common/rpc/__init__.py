"""gRPC as ECRS uses it: `serve` on one side, `Target` on the other, one table of errors between."""

from services.common.rpc.breaker import Breaker
from services.common.rpc.calls import remaining_s, request_id
from services.common.rpc.client import Target
from services.common.rpc.in_process import InProcess
from services.common.rpc.serve import Listen, Port, serve
from services.common.rpc.server import App, Server, Servicer
from services.common.rpc.stats import CallStats
from services.common.rpc.status import STATUS, code_of, error_of

__all__ = [
    "STATUS",
    "App",
    "Breaker",
    "CallStats",
    "InProcess",
    "Listen",
    "Port",
    "Server",
    "Servicer",
    "Target",
    "code_of",
    "error_of",
    "remaining_s",
    "request_id",
    "serve",
]
