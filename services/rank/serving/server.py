"""PaddleServing's pipeline server with our own start and stop.

Stock `run_server` binds all interfaces, starts a Go HTTP gateway that outlives it, and stops only by being
killed.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from paddle_serving_server.pipeline import PipelineServer
from paddle_serving_server.pipeline.pipeline_server import PipelineServicer
from paddle_serving_server.pipeline.proto import pipeline_service_pb2_grpc

from services.rank.serving.manifest import RankManifest
from services.rank.serving.ops import EncodeOp, RankOp
from services.rank.serving.predictor import PirPredictor, PredictorHandler

_MAX_MESSAGE = 64 * 1024 * 1024
_GRACE_S = 5.0
_log = logging.getLogger("ecrs.rank.serving")


class PortInUse(RuntimeError):
    """Somebody else listens on the port."""


class RankServer(PipelineServer):  # type: ignore[misc]  # the wheel has no types
    """The pipeline request → rank → response on one gRPC port."""

    def __init__(self, manifest: RankManifest, model_dir: Path, *, threads: int, workers: int) -> None:
        """Args:
        manifest: the release's name and feeds.
        model_dir: its `rank_serving/`.
        threads: of Paddle's math library.
        workers: requests read and answered at once; the model itself runs one at a time.
        """
        super().__init__("rank")
        self._manifest = manifest
        self._model_dir = model_dir
        self._threads = threads
        self._workers = workers

    def open(self, port: int) -> None:
        """Load the model and build the pipeline.

        Raises:
            BadModel: the model folder is at fault.
        """
        predictor = PirPredictor()
        predictor.load(self._model_dir, self._threads)
        predictor.require_feeds(self._manifest.feeds)
        predictor.warm_up(self._manifest.feeds)
        rank = RankOp(self._manifest, predictor, PredictorHandler(predictor, self._model_dir))
        self.set_response_op(EncodeOp(rank, self._manifest.release))
        self.prepare_server(
            yml_dict={
                "rpc_port": port,
                "worker_num": self._workers,
                "build_dag_each_worker": False,
                "dag": {"is_thread_op": True, "retry": 1, "use_profile": False},
                "op": {},
            }
        )

    def serve(self, host: str, port: int) -> None:
        """Answer requests until SIGTERM or SIGINT, then finish those in flight.

        Raises:
            PortInUse: the port was taken since it was checked.
        """
        stopping = threading.Event()

        def stop(signum: int, frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        # SO_REUSEPORT off: a second server on the port must fail, not share the requests.
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _MAX_MESSAGE),
            ("grpc.max_send_message_length", _MAX_MESSAGE),
        ]
        server = grpc.server(ThreadPoolExecutor(max_workers=self._workers), options=options)
        servicer = PipelineServicer(self._name, self._response_op, self._conf)
        pipeline_service_pb2_grpc.add_PipelineServiceServicer_to_server(servicer, server)
        readiness = health.HealthServicer()
        readiness.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(readiness, server)
        try:
            server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise PortInUse(f"port {port} on {host} is in use") from error
        server.start()
        _log.warning("ready release=%s address=%s:%d pid=%d", self._manifest.release, host, port, os.getpid())
        stopping.wait()
        readiness.enter_graceful_shutdown()
        server.stop(_GRACE_S).wait()
        _log.warning("stopped")
