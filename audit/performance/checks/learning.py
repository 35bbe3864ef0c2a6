"""Whether anything was learned: held-out accuracy against what chance and the commonest class reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit.check import Check, register
from audit.evidence import Evidence, Figure, Series
from audit.subject import Subject
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, clopper_pearson, p_value

Labels = NDArray[np.int64]


@register
@dataclass(frozen=True, kw_only=True)
class Learning(Check):
    """A permutation test of the balanced accuracy (Ojala and Garriga, 2010), the gain over the commonest class, and the loss curves.

    A classifier that learned nothing about the labels would score as well on permuted ones.

    Args:
        permutations: How many permutations of the test labels.
    """

    permutations: int = 5000
    metrics: ClassVar = ("performance.learned_p_value", "performance.gain_over_majority", "performance.generalisation_gap")
    profiles: ClassVar = {"quick": {"permutations": 1000}}

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        labels = subject.test.labels.numpy()
        presumed = subject.presumed(subject.probabilities())
        right = presumed == labels
        # The accuracy depends on labels and predictions only through their table of counts.
        per_class = np.eye(labels.max() + 1)[labels] / np.bincount(labels)[labels][:, None]
        credit = per_class.sum(1)
        observed = float((credit * right).sum())
        permuted = self._permuted(labels, presumed, credit, seed.child("permutations").numpy())
        exceeded = int(np.count_nonzero(permuted >= observed - 1e-12))
        low, high = clopper_pearson(exceeded, self.permutations)
        value = p_value(observed, permuted)
        learned = Metric(
            "performance.learned_p_value", value, min(low, value), max(high, value), len(labels),
            interval="clopper-pearson", better="lower",
        )  # fmt: skip
        commonest = np.bincount(labels).argmax()

        def gain(weights: Array) -> Array:
            difference: Array = weights @ (right.astype(float) - (labels == commonest)) / weights.sum(1)
            return difference

        return Evidence(
            check=self.id,
            metrics=(
                subject.on_test(learned),
                subject.on_test(bootstrap("performance.gain_over_majority", gain, len(labels), seed.child("gain"))),
                self._gap(subject, right, seed.child("gap")),
            ),
            figures=_loss_curves(subject),
            parameters=self.options(),
            seed=seed.value,
        )

    def _permuted(self, labels: Labels, presumed: Labels, credit: Array, generator: np.random.Generator) -> Array:
        """The score against each permutation of the labels ``(B,)``, in chunks of bounded memory."""
        chunk = max(1, 2**22 // len(labels))
        scores = []
        for start in range(0, self.permutations, chunk):
            rows = min(chunk, self.permutations - start)
            order = generator.permuted(np.tile(np.arange(len(labels)), (rows, 1)), axis=1)
            scores.append(np.where(labels[order] == presumed, credit[order], 0).sum(1))
        return np.concatenate(scores)

    def _gap(self, subject: Subject, right: NDArray[np.bool_], seed: Seed) -> Metric:
        """How much more often it is right on rows that it learned from."""
        name = "performance.generalisation_gap"
        if subject.training is None or subject.classifier is None:
            return Metric.missing(name, "the training data are not known", n=len(right))
        known = subject.presumed(subject.probabilities(subject.training)) == subject.training.labels.numpy()
        both = np.r_[known / len(known), -right.astype(float) / len(right)]
        part = np.r_[np.zeros(len(known), dtype=np.int64), np.ones(len(right), dtype=np.int64)]

        def statistic(weights: Array) -> Array:
            difference: Array = weights @ both
            return difference

        return bootstrap(name, statistic, len(both), seed, strata=part, better="lower")


def _loss_curves(subject: Subject) -> tuple[Figure, ...]:
    record = subject.classifier.card.get("training") if subject.classifier is not None else None
    if record is None:
        return ()
    epochs = tuple(range(1, len(record["loss"]["train"]) + 1))
    series = tuple(Series(name, x=epochs, y=tuple(record["loss"][name])) for name in ("train", "validation"))
    return (Figure("loss_curves", "lines", series, marks={"kept": record["best_epoch"]}),)
