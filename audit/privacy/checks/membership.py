"""Whether the loss of a row tells that the classifier learned from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from audit.check import Check, register
from audit.evidence import Evidence, Figure, Series
from audit.privacy.loss_threshold import infer_members
from audit.subject import Need, Subject
from classifier.dataset import Dataset
from classifier.seeds import Seed
from classifier.statistics import Array, roc_curve


@register
@dataclass(frozen=True, kw_only=True)
class MembershipInference(Check):
    """A loss-threshold attack: training rows against test rows.

    What one attack finds is a lower bound of what leaks: a stronger one may find more.

    Args:
        rates: False positive rates at which the members found are counted.
    """

    rates: tuple[float, ...] = (0.05,)
    metrics: ClassVar = ("privacy.membership_auc", "privacy.membership_tpr")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier", "training"})

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        training = subject.training
        assert training is not None  # `needs`
        result = infer_members(_losses(subject, training), _losses(subject, subject.test), rates=self.rates)
        false, true = roc_curve(result.scores, result.members)
        shown = np.unique(np.linspace(0, len(false) - 1, min(len(false), 400)).astype(int))
        curve = Series("attack", x=tuple(false[shown].tolist()), y=tuple(true[shown].tolist()))
        where: dict[str, str | float | int] = {"attack": "loss_threshold"}
        words: dict[str, str | int | float] = {"members": len(training), "others": len(subject.test)}
        return Evidence(
            check=self.id,
            metrics=tuple(replace(metric, bound="lower").measured_on(**where) for metric in (result.auc, *result.tpr_at.values())),
            figures=(Figure("membership_roc", "lines", (curve,), diagonal=True, log=True, words=words),),
            parameters=self.options(),
            seed=seed.value,
            notes=("privacy.one_attack",),
            arrays={"scores": result.scores, "members": result.members, "ids": np.r_[training.ids, subject.test.ids]},
        )


def _losses(subject: Subject, rows: Dataset) -> Array:
    probabilities = subject.probabilities(rows)[np.arange(len(rows)), rows.labels.numpy()]
    losses: Array = -np.log(np.clip(probabilities, 1e-12, None))
    return losses
