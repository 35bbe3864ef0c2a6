"""How well a score tells rows apart: AUROC, and the false positives where 95 % of the known rows stay (Hendrycks and Gimpel, 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifier.errors import DataError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, proportion, roc_auc_metric


@dataclass(frozen=True)
class Detection:
    """What a score is worth against one set of outside rows.

    Args:
        auroc: Chance that a known row scores higher than an outside one; 0.5 is guessing.
        false_positives: Share of the outside rows that stay, at the threshold that keeps the share `kept` of the known ones.
        threshold: That threshold: rows that score less are abstained from.
    """

    auroc: Metric
    false_positives: Metric
    threshold: float


def measure_detection(known: Array, outside: Array, *, kept: float = 0.95) -> Detection:
    """Hold the scores of outside rows against those of known ones.

    The interval of the false positives is exact for the threshold that was found; that the threshold is itself
    an estimate from the known rows is not in it.

    Args:
        known: Scores of rows like those that were learned from ``(N,)``, higher for such.
        outside: Scores of rows that are not ``(M,)``.
        kept: Share of the known rows that must stay.
    """
    threshold = threshold_for(known, kept)
    scores, positive = np.r_[known, outside], np.r_[np.ones(len(known), dtype=bool), np.zeros(len(outside), dtype=bool)]
    stays = outside >= threshold
    return Detection(
        auroc=roc_auc_metric("robustness.ood_auroc", scores, positive),
        false_positives=proportion("robustness.ood_fpr_at_95_tpr", stays, interval="clopper-pearson", better="lower"),
        threshold=threshold,
    )


def threshold_for(known: Array, kept: float = 0.95) -> float:
    """The largest score that at least the share `kept` of the known rows reach.

    Raises:
        DataError: If there is no row, or a score is not a number.
    """
    if len(known) == 0 or np.isnan(known).any():
        raise DataError(f"a threshold needs scores that are numbers, got {len(known)} of which {int(np.isnan(known).sum())} are none")
    # A share of 0.05 times a count must not lose a row to rounding.
    return float(np.sort(known)[int(np.floor((1 - kept) * len(known) + 1e-9))])


def threshold_metric(known: Array, seed: Seed, *, kept: float = 0.95, resamples: int = 2000) -> Metric:
    """The threshold of `threshold_for` with its bootstrap interval.

    Args:
        known: Scores of known rows ``(N,)``.
        seed: Where the resamples come from.
        kept: Share of the known rows that must stay.
        resamples: How many resamples.
    """
    order = np.argsort(known)
    ascending = known[order]

    def statistic(weights: Array) -> Array:
        below = np.cumsum(weights[:, order], axis=1)
        found: Array = ascending[(below > (1 - kept) * below[:, -1:] + 1e-9).argmax(1)]
        return found

    return bootstrap("robustness.ood_threshold", statistic, len(known), seed, resamples=resamples, better="higher")
