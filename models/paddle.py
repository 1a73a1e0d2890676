"""Paddle, imported in a process that is prepared for it: the one place that does so.

Every module that computes with Paddle takes it from here, so that nothing has to be imported first and what
does not train (services, the web tier, the preparation of data) is left as it was.
"""

from __future__ import annotations

from models.training.process import prepare_for_paddle

prepare_for_paddle()

import paddle  # noqa: E402 - after the process is prepared
import paddle.nn.functional as F  # noqa: E402, N812 - its usual name
from paddle import nn  # noqa: E402
from paddle.autograd import PyLayer  # noqa: E402
from paddle.utils import unique_name  # noqa: E402

__all__ = ["F", "PyLayer", "nn", "paddle", "unique_name"]
