"""Evaluation: full ranking, never sampled negatives; the same code for every model and baseline.

``python -m models.evaluate`` runs a published protocol; ``measures`` are the functions training uses too.
"""

from models.evaluation.measures import auc, mean_metrics, platt, recall_ndcg, recall_of_truth

__all__ = ["auc", "mean_metrics", "platt", "recall_ndcg", "recall_of_truth"]
