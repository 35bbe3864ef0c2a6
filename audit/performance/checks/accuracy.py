"""How often it is right, how well it ranks, and how far its probabilities are from what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit.check import Check, register
from audit.evidence import Evidence, Table
from audit.subject import Subject
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, WeightedStatistic, bootstrap, mean, proportion, roc_auc, roc_auc_metric


@register
@dataclass(frozen=True, kw_only=True)
class Accuracy(Check):
    """Accuracy, balanced accuracy, area under the ROC curve, log loss and Brier score on the test rows.

    Args:
        resamples: Resamples of the bootstrap intervals.
    """

    resamples: int = 2000
    metrics: ClassVar = (
        "performance.accuracy",
        "performance.balanced_accuracy",
        "performance.roc_auc",
        "performance.log_loss",
        "performance.brier",
    )

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        labels = subject.test.labels.numpy()
        probabilities = subject.probabilities()
        presumed = subject.presumed(probabilities)
        rows = np.arange(len(labels))
        # A probability of 0 for what happened has an infinite loss; 1e-12 is where logits are clipped too.
        losses = -np.log(np.clip(probabilities[rows, labels], 1e-12, None))
        squares = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1)
        metrics = (
            proportion("performance.accuracy", presumed == labels),
            bootstrap(
                "performance.balanced_accuracy",
                balanced_accuracy(presumed == labels, labels),
                len(labels),
                seed.child("balanced_accuracy"),
                strata=labels,
                resamples=self.resamples,
            ),
            self._auc(probabilities, labels, seed.child("roc_auc")),
            mean("performance.log_loss", losses, seed.child("log_loss"), better="lower"),
            # Of two classes the Brier score is the squared error of the event's probability: half of the sum.
            mean("performance.brier", squares / (2 if probabilities.shape[1] == 2 else 1), seed.child("brier"), better="lower"),
        )
        return Evidence(
            check=self.id,
            metrics=tuple(subject.on_test(metric) for metric in metrics),
            tables=(_confusion(presumed, labels, subject.test.classes),),
            parameters={**self.options(), "threshold": subject.decision.threshold, "independence": subject.independence},
            seed=seed.value,
            notes=("performance.independence_unknown",) if subject.independence == "unknown" else (),
            arrays={"probabilities": probabilities, "labels": labels, "ids": subject.test.ids},
        )

    def _auc(self, probabilities: Array, labels: NDArray[np.int64], seed: Seed) -> Metric:
        if probabilities.shape[1] == 2:
            return roc_auc_metric("performance.roc_auc", probabilities[:, 1], labels == 1)
        return bootstrap("performance.roc_auc", _one_against_rest(probabilities, labels), len(labels), seed, strata=labels, resamples=200)


def balanced_accuracy(right: NDArray[np.bool_], labels: NDArray[np.int64]) -> WeightedStatistic:
    """The mean over the classes of the share that is right, as a statistic of weighted rows."""
    member = np.eye(labels.max() + 1)[labels][:, np.unique(labels)]

    def statistic(weights: Array) -> Array:
        share: Array = ((weights @ (member * right[:, None])) / (weights @ member)).mean(1)
        return share

    return statistic


def _one_against_rest(probabilities: Array, labels: NDArray[np.int64]) -> WeightedStatistic:
    """The mean over the classes of the area under the ROC curve of that class against the rest."""

    def statistic(weights: Array) -> Array:
        values = []
        for row in weights:
            drawn = np.repeat(np.arange(len(labels)), row.astype(int))
            values.append(np.mean([roc_auc(probabilities[drawn, k], labels[drawn] == k) for k in np.unique(labels)]))
        return np.array(values)

    return statistic


def _confusion(presumed: NDArray[np.int64], labels: NDArray[np.int64], classes: tuple[str, ...]) -> Table:
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (labels, presumed), 1)
    return Table("confusion", ("truth", *classes), tuple((name, *row.tolist()) for name, row in zip(classes, counts, strict=True)))
