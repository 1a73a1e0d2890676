"""The order of the page: by score, without too much of one category, answering what was just clicked.

Three rules come after the ranker; all are bounded, and all give way when nothing else is left:

* variety: at most `same_category` of any `window` neighbouring items are of one leaf category;
* new items: what nobody has bought yet the ranker cannot judge; it gets the tenth place of each twenty;
* session: of every prefix of the page at least `session_share` are items reached from the newest live events.
  A ranker trained on purchases alone cannot know what a click means, and who clicks expects an answer.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.blend import blend
from engine.features import UserContext
from engine.types import Candidate


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules' numbers.

    `new_from`, `new_every`: the first place, from 0, of an item the ranker lacks, and the step to the next.
    `profile_weight`: 1 = the page of a shopper with only a profile is in recall's order, 0 = in the ranker's.
    """

    window: int = 10
    same_category: int = 4
    session_share: float = 0.2
    profile_weight: float = 1.0
    new_from: int = 9
    new_every: int = 20


def ordered(
    policy: Policy, context: UserContext, candidates: Sequence[Candidate], scores: npt.NDArray[np.float32]
) -> list[int]:
    """Positions of recall's candidates, best first, by the ranker's scores [n].

    Where nothing but a profile is known, recall's order counts too: it knows more of profiles than the ranker
    does (docs/adr/0081).
    """
    by_profile = any(candidate.channels[:1] == ("segment",) for candidate in candidates)
    weight = policy.profile_weight if by_profile and not context.events else 0.0
    order: list[int] = blend(scores, weight).tolist()
    return order


def place_new(policy: Policy, order: Sequence[int], unknown: Sequence[bool]) -> list[int]:
    """The order with the candidates `unknown` to the ranker, which has them last, at places of their own."""
    placed = [position for position in order if not unknown[position]]
    for count, position in enumerate(position for position in order if unknown[position]):
        placed.insert(policy.new_from + count * policy.new_every, position)
    return placed


def arrange(
    policy: Policy, categories: Sequence[int] | None, from_session: Sequence[bool], page_size: int
) -> list[int]:
    """Positions of the items to show, in order, at most `page_size`.

    Args:
        categories: leaf category of each candidate, candidates best first; 0 = unknown, never limited.
            None: the variety rule is off.
        from_session: whether each candidate is reached from a live event.
    """
    waiting = deque(range(len(from_session)))
    session = deque(position for position in waiting if from_session[position])
    recent: deque[int] = deque(maxlen=max(policy.window - 1, 1))
    counts: Counter[int] = Counter()
    taken: set[int] = set()
    page: list[int] = []
    answered = 0
    while len(page) < page_size and len(taken) < len(from_session):
        owed = session and answered < int(policy.session_share * (len(page) + 1) + 1e-9)
        queue = session if owed else waiting
        position = _next(queue, taken, categories, counts, policy.same_category)
        if position is None:  # the session's items are all shown
            session.clear()
            continue
        taken.add(position)
        page.append(position)
        answered += from_session[position]
        category = categories[position] if categories is not None else 0
        if len(recent) == recent.maxlen:
            counts[recent[0]] -= 1
        recent.append(category)
        counts[category] += 1
    return page


def _next(
    queue: deque[int], taken: set[int], categories: Sequence[int] | None, counts: Counter[int], limit: int
) -> int | None:
    """The best position that keeps to the variety rule, else the best of all; None if the queue is empty."""
    while queue and queue[0] in taken:
        queue.popleft()
    if not queue or categories is None:
        return queue[0] if queue else None
    for position in queue:
        if position not in taken and (not categories[position] or counts[categories[position]] < limit):
            return position
    return queue[0]
