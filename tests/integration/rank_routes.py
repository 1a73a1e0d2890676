"""The rank service of a release by either route: ONNX in process, or a real PaddleServing."""

from __future__ import annotations

from pathlib import Path

from services import bootstrap
from services.bootstrap import Part
from services.rank.service import RankService
from services.settings import Settings
from tests.integration.programs import Program, free_port
from tests.support.redis_server import free_port as closed_port


def serving(manifest: Path, release: Path, log: Path, port: int = 0) -> Program:
    """PaddleServing over the release's ranker, saying that it is the release of `manifest`."""
    arguments = ["--model-dir", str(release / "rank_serving"), "--manifest", str(manifest)]
    return Program("services.rank.serving", arguments, port or free_port(), log / "serving.log")


def rank_by(url: str, release: Path) -> Part[RankService]:
    """The rank service as the composition root makes it, without Redis."""
    return bootstrap.rank_part(
        Settings.model_validate(
            {
                "_env_file": None,
                "artifacts_dir": release.parent,
                "rank_predictor": url,
                "redis_url": f"redis://127.0.0.1:{closed_port()}",
            }
        )
    )
