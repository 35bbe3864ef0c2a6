"""Whether labels contradict what the other rows teach: estimated noise, and the rows to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.check import Check, register
from audit.data.label_errors import find_label_errors, noise_rate
from audit.evidence import Cell, Evidence, Table
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.seeds import Seed


@register
@dataclass(frozen=True, kw_only=True)
class LabelErrors(Check):
    """Confident learning on cross-fitted probabilities, over all rows.

    Args:
        shown: Rows in the table of the most suspicious.
        resamples: Resamples of the bootstrap interval.
    """

    shown: int = 20
    resamples: int = 500
    metrics: ClassVar = ("data.label_noise", "data.suspected_labels")
    needs: ClassVar[frozenset[Need]] = frozenset({"recipe"})
    trainings: ClassVar[int] = 5
    profiles: ClassVar = {"quick": {"resamples": 200}, "thorough": {"resamples": 2000}}

    def __post_init__(self) -> None:
        for name, least in (("shown", 0), ("resamples", 2)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        rows, probabilities = subject.cross_fitted(seed.value)
        labels, names = rows.labels.numpy(), rows.classes
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
                noise_rate("data.label_noise", probabilities, labels, seed.child("noise"), resamples=self.resamples),
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
