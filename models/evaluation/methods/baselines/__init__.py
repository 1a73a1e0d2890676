"""What a user would take instead of ECRS, in the harness it is measured by."""

from models.evaluation.methods.baselines.registry import METHODS, Baseline

__all__ = ["METHODS", "Baseline"]
