"""Training contexts as a new shopper's: the profile is known, the history is not.

Everybody in the data has a history, so without such samples neither network ever sees what it must serve on
the first visit. Users with a profile are shown once more as if they had just come; what they then took is the
truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureEncoder
from engine.snapshot import Snapshot
from models.training.candidates import served_rows
from models.training.config import TrainConfig
from models.training.dataset import CatalogueEvents
from models.training.fitting import encode
from models.training.samples import (
    RankSamples,
    candidate_rows,
    context_of,
    no_past,
    ranked_users,
    stack_feeds,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


def encode_new(
    tower: Any, events: CatalogueEvents, encoder: FeatureEncoder, users: IntArray, at: int
) -> FloatArray:
    """The user tower's vectors of some users by their profiles alone, float32 [G, D]."""
    past = no_past(encoder)
    feeds = [encoder.user_tower(context_of(events, user, at), past) for user in users.tolist()]
    return encode(tower.user, stack_feeds(feeds))


def new_shopper_samples(
    events: CatalogueEvents,
    encoder: FeatureEncoder,
    snapshot: Snapshot,
    tower: Any,
    window: tuple[int, int],
    config: TrainConfig,
    rng: np.random.Generator,
) -> RankSamples | None:
    """What a share of the window's active users with a profile would be served without their history; None if
    there is nobody."""
    begin, end = window
    users = ranked_users(events, begin, end, config)
    drawn = rng.random(len(users)) < config.rank.new_shoppers
    told = np.array([bool(events.data.profiles[user]) for user in users.tolist()])
    users = users[drawn & told]
    if not len(users):
        return None
    vectors, past = encode_new(tower, events, encoder, users, begin), no_past(encoder)
    groups = []
    for vector, user in zip(vectors, users.tolist(), strict=True):
        context = context_of(events, user, begin)
        served = served_rows(snapshot, context, past, vector, config.recall.total)
        groups.append(candidate_rows(events, encoder, user, past, served, window, config, rng))
    return RankSamples.join(groups)
