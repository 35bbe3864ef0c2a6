"""What pruning and quantisation changed: the compressed classifier against the one that it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from audit.check import Check, register
from audit.evidence import Evidence
from audit.subject import Need, Subject
from classifier.dataset import Splits
from classifier.errors import NotApplicableError
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, proportion
from trainer import train


@register
@dataclass(frozen=True, kw_only=True)
class Compression(Check):
    """How many decisions the two share, and the difference of their accuracies on the same rows.

    The uncompressed classifier is trained once more by the recipe, which gives the same weights; its digest is
    compared with the one in the training record.
    """

    metrics: ClassVar = ("performance.compression_agreement", "performance.compression_accuracy_change")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier", "recipe", "compression"})
    trainings: ClassVar[int] = 1

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        recipe, training, validation = subject.recipe, subject.training, subject.validation
        assert recipe is not None
        assert training is not None
        assert validation is not None
        record = subject.model.card["training"]["compression"]
        whole = train(Splits(training, validation, subject.test), replace(recipe, prune=0.0, quantise=None), progress=False)
        if whole.digest != record["uncompressed"]:
            raise NotApplicableError(
                "trained once more, the uncompressed classifier is another one, as in private training and on some GPUs"
            )
        labels = subject.test.labels.numpy()
        before = subject.presumed(whole.probabilities(subject.test.inputs).double().cpu().numpy())
        after = subject.presumed(subject.probabilities())
        gain = (after == labels).astype(float) - (before == labels)

        def change(weights: Array) -> Array:
            difference: Array = weights @ gain / weights.sum(1)
            return difference

        return Evidence(
            check=self.id,
            metrics=(
                proportion("performance.compression_agreement", np.equal(before, after)),
                bootstrap("performance.compression_accuracy_change", change, len(labels), seed.child("change")),
            ),
            parameters={name: record[name] for name in ("prune", "bits", "zeros")},
            seed=seed.value,
        )
