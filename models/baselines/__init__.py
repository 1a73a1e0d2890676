"""What a user would take instead of ECRS, in the harness it is measured by."""

from models.baselines.registry import METHODS, Baseline

__all__ = ["METHODS", "Baseline"]
