"""Whether labels contradict what the other rows teach: more than hard cases explain, and the rows to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from audit.check import Check, register
from audit.data.label_errors import disagreement_rate, find_label_errors
from audit.data.label_noise import noise_rate
from audit.evidence import Cell, Evidence, Table
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import roc_auc_metric


@register
@dataclass(frozen=True, kw_only=True)
class LabelErrors(Check):
    """Confident learning on cross-fitted probabilities, over all rows.

    Args:
        shown: Rows in the table of the most suspicious.
        resamples: Resamples of the bootstrap interval.
        train: Whether to train the five classifiers that this takes, where nothing else of the audit does.
    """

    shown: int = 20
    resamples: int = 500
    train: bool = True
    metrics: ClassVar = ("data.label_disagreement", "data.label_noise", "data.suspected_labels")
    needs: ClassVar[frozenset[Need]] = frozenset({"recipe"})
    trainings: ClassVar[int] = 5
    profiles: ClassVar = {"quick": {"resamples": 200, "train": False}, "thorough": {"resamples": 2000}}

    def __post_init__(self) -> None:
        for name, least in (("shown", 0), ("resamples", 2)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        # Where groups are compared, the same classifiers are trained for that.
        compared = bool(subject.test.protected) and len(subject.test.classes) == 2 and subject.test.favourable is not None
        if not (self.train or compared):
            # What was computed before is at hand all the same.
            subject.remember(("cross_fitted", seed.value), _not_trained)
        rows, probabilities = subject.cross_fitted(seed.value)
        labels, names = rows.labels.numpy(), rows.classes
        _require_skill(probabilities, labels)
        found = find_label_errors(probabilities, labels)
        suspected = int(found.suspected.sum())
        suspects: list[tuple[Cell, ...]] = [
            (
                int(rows.ids[row]),
                names[labels[row]],
                names[found.likely[row]],
                round(float(probabilities[row, labels[row]]), 4),
                round(float(probabilities[row, found.likely[row]]), 4),
            )
            for row in found.ranked[: self.shown].tolist()
        ]
        matrix: list[tuple[Cell, ...]] = [
            (name, *(round(float(count), 1) for count in counts)) for name, counts in zip(names, found.joint, strict=True)
        ]
        tables = [Table("matrix", ("given", *names), tuple(matrix))]
        if suspects:
            tables.append(
                Table("suspects", ("row", "given", "likely", "given_probability", "likely_probability"), tuple(suspects), single=True)
            )
        return Evidence(
            check=self.id,
            metrics=(
                disagreement_rate("data.label_disagreement", probabilities, labels, seed.child("noise"), resamples=self.resamples),
                noise_rate("data.label_noise", probabilities, labels),
                Metric.counted("data.suspected_labels", suspected, len(rows), better="lower"),
            ),
            tables=tuple(tables),
            parameters={**self.options(), "rows": len(rows), "thresholds": [float(t) if t < 2 else None for t in found.thresholds]},
            seed=seed.value,
            notes=("data.label_errors",),
            arrays={
                "ids": rows.ids,
                "suspected": found.suspected,
                "margin": found.margin,
                "likely": found.likely,
            },
        )


def _not_trained() -> Any:
    raise NotApplicableError("five more classifiers would have to be trained, which this profile does not do", remedy="set train = true")


def _require_skill(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    """Classifiers that tell no class from the others say nothing of any label."""
    present = np.unique(labels)
    confidence = 1 - 0.05 / len(present)
    areas = [roc_auc_metric("", probabilities[:, k], labels == k, confidence=confidence) for k in present]
    if not any(area.low is not None and area.low > 0.5 for area in areas):
        raise NotApplicableError(
            "the classifiers that judge the labels tell no class from the others: what they say of a label means nothing"
        )
