"""What moved a score: each group of features is taken away once, and the score is computed again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from engine.dataset import read_dataset
from engine.features import STATS, UserContext, cross_names
from engine.features.cross import cross_features
from engine.records import LEAF, SHOP
from engine.release import Release
from engine.types import Contribution, ItemExplanation
from services.rank.groups import Group, Subject, groups_of
from services.rank.loaded import LoadedRanker

_ROWS = 1_000  # asked of the network at once
_CLIP = 1e-6
_LEAST = 1e-3  # of log-odds: what adds less is not told

Rows = npt.NDArray[np.int64]


class Explainer:
    """Explains scores of one release. Reads the release's catalogue, for the words of it, when it is made."""

    def __init__(self, release: Release) -> None:
        self._schema, self._stats = release.schema, release.items.stats
        self._cross = cross_names(release.schema)
        self._groups: list[Group] = groups_of(release.schema, release.rank_feeds, _display_names(release))
        wanted = {entry.name for entry in release.schema.item_fields} | {
            "title",
            "category_path",
            LEAF,
            SHOP,
        }
        self._records = [
            {name: value for name, value in record.items() if name in wanted}
            for record in release.catalogue()
        ]

    def explain(
        self,
        ranker: LoadedRanker,
        context: UserContext,
        item_ids: Sequence[str],
        rows: Rows,
        timeout_s: float,
    ) -> list[ItemExplanation]:
        """The score of each item, and what its groups of features add to its log-odds, strongest first.

        The effects of an item need not add up to its log-odds: the network also weighs features together.

        Args:
            rows: of the items in the release, all >= 0.
        """
        end = time.monotonic() + timeout_s
        past = ranker.encoder.summary(context)
        cross = cross_features(self._schema, ranker.table, past, rows)
        n, without = len(rows), len(self._groups)
        # The list as it is, then once more without each group; 0 is "unknown" everywhere.
        feeds = {
            name: np.concatenate([values] * (1 + without))
            for name, values in ranker.encoder.rank(context, rows, past).items()
        }
        for number, group in enumerate(self._groups):
            part = slice((1 + number) * n, (2 + number) * n)
            for name, columns in group.columns.items():
                feeds[name][part, columns] = 0
        scores = np.concatenate(
            [
                ranker.probabilities(
                    {name: values[at : at + _ROWS] for name, values in feeds.items()},
                    max(end - time.monotonic(), 0.0),
                )
                for at in range(0, (1 + without) * n, _ROWS)
            ]
        ).reshape(1 + without, n)
        odds = _log_odds(scores)
        effects = odds[0] - odds[1:]  # [groups, n]
        return [
            ItemExplanation(
                item_id,
                float(scores[0, at]),
                self._contributions(effects[:, at], self._subject(context, int(rows[at]), cross[at])),
            )
            for at, item_id in enumerate(item_ids)
        ]

    def _contributions(self, effects: npt.NDArray[np.float64], subject: Subject) -> tuple[Contribution, ...]:
        return tuple(
            Contribution(
                self._groups[number].name, self._groups[number].tell(subject), float(effects[number])
            )
            for number in np.argsort(-np.abs(effects), kind="stable").tolist()
            if abs(effects[number]) >= _LEAST
        )

    def _subject(self, context: UserContext, row: int, values: npt.NDArray[np.float32]) -> Subject:
        cross = dict(zip(self._cross, values.tolist(), strict=True))
        return Subject(
            context.profile, self._records[row], cross, self._share_below, self._schema.history_length
        )

    def _share_below(self, stat: str, value: float) -> float:
        return float(np.mean(self._stats[:, STATS.index(stat)] < value))


def _log_odds(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    clipped = np.clip(scores.astype(np.float64), _CLIP, 1.0 - _CLIP)
    odds: npt.NDArray[np.float64] = np.log(clipped / (1.0 - clipped))
    return odds


def _display_names(release: Release) -> Mapping[str, str]:
    """English names of the features that the dataset's description names."""
    dataset = read_dataset(release.path / "dataset.toml")
    return {
        feature.name: feature.display.get("en") or feature.name.replace("_", " ")
        for feature in (*dataset.user_features, *dataset.item_features)
    }
