"""Membership by loss: rows that were learned from have a smaller loss (Yeom et al., 2018, arXiv:1709.01604)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.errors import ConfigurationError, DataError
from classifier.metric import Metric
from classifier.statistics import Array, clopper_pearson, roc_auc_metric


@dataclass(frozen=True)
class Membership:
    """How well an attack tells the rows that were learned from.

    Args:
        auc: Area under the ROC curve; .5 is guessing.
        tpr_at: Share of members found, by the share of others accused.
        scores: What the attack gives each row, higher for members ``(N,)``.
        members: Which rows were learned from ``(N,)``.
    """

    auc: Metric
    tpr_at: Mapping[float, Metric]
    scores: Array
    members: NDArray[np.bool_]


def infer_members(member_losses: Array, other_losses: Array, *, rates: tuple[float, ...] = (0.05,)) -> Membership:
    """Tell members by their loss.

    Args:
        member_losses: Loss of each row that was learned from ``(M,)``.
        other_losses: Loss of each row that was not ``(N,)``.
        rates: False positive rates at which to count the members found; one under 10 / N is not measured.

    Raises:
        DataError: If there are no members or no others.
        ConfigurationError: If a rate is not between 0 and 1.
    """
    if not len(member_losses) or not len(other_losses):
        raise DataError(f"membership needs rows of both kinds, got {len(member_losses)} members and {len(other_losses)} others")
    for rate in rates:
        if not 0 < rate < 1:
            raise ConfigurationError(f"a false positive rate must lie between 0 and 1, got {rate:g}")
    scores = -np.r_[member_losses, other_losses]
    members = np.r_[np.ones(len(member_losses), dtype=bool), np.zeros(len(other_losses), dtype=bool)]
    auc = roc_auc_metric("privacy.membership_auc", scores, members, better="lower")
    return Membership(auc, {rate: _found(member_losses, other_losses, rate) for rate in rates}, scores, members)


def _found(member_losses: Array, other_losses: Array, rate: float) -> Metric:
    name = "privacy.membership_tpr"
    if rate < 10 / len(other_losses):
        needed = int(np.ceil(10 / rate))
        reason = f"a false positive rate of {rate:g} needs {needed} rows that were not learned from, there are {len(other_losses)}"
        return Metric.missing(name, reason, n=len(member_losses), where={"fpr": rate})
    # The highest threshold on the loss that accuses no more than the rate of the others.
    allowed = int(np.floor(rate * len(other_losses)))
    threshold = np.sort(other_losses)[allowed]
    found = int(np.count_nonzero(member_losses < threshold))
    low, high = clopper_pearson(found, len(member_losses))
    return Metric(
        name, found / len(member_losses), low, high, len(member_losses),
        interval="clopper-pearson", better="lower", where={"fpr": rate},
    )  # fmt: skip
