"""Whether a probability of 30 % means that it happens in 30 % of such cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit.check import Check, register
from audit.evidence import Evidence, Figure, Series
from audit.subject import Need, Subject
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, wilson


@register
@dataclass(frozen=True, kw_only=True)
class Calibration(Check):
    """The event's mean probability against its rate, overall and in bins of equal size.

    Args:
        bins: Bins of the reliability curve.
    """

    bins: int = 10
    metrics: ClassVar = ("performance.calibration_gap",)
    needs: ClassVar[frozenset[Need]] = frozenset({"two_classes"})

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        event = subject.probabilities()[:, 1]
        happened = (subject.test.labels.numpy() == 1).astype(float)

        def gap(weights: Array) -> Array:
            difference: Array = np.abs(weights @ (event - happened)) / weights.sum(1)
            return difference

        metric = bootstrap("performance.calibration_gap", gap, len(event), seed, better="lower")
        bins = [part for part in np.array_split(np.argsort(event, kind="stable"), min(self.bins, len(event) // 5 or 1)) if len(part)]
        intervals = [wilson(int(happened[part].sum()), len(part)) for part in bins]
        curve = Series(
            "observed",
            x=tuple(float(event[part].mean()) for part in bins),
            y=tuple(float(happened[part].mean()) for part in bins),
            low=tuple(low for low, _ in intervals),
            high=tuple(high for _, high in intervals),
        )
        words: dict[str, str | int | float] = {"event": str(subject.test.event), "bins": len(bins), "n": len(event)}
        return Evidence(
            check=self.id,
            metrics=(subject.on_test(metric),),
            figures=(Figure("reliability", "lines", (curve,), diagonal=True, words=words),),
            parameters=self.options(),
            seed=seed.value,
        )
