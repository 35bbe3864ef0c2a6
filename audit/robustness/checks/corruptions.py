"""How many rows stay right when inputs are badly taken, typed or sent, and whether confidence falls with accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.corruptions.calibration_error import measure_calibration
from audit.robustness.corruptions.corruption import SEVERITIES
from audit.robustness.corruptions.engine import Answers, UnderCorruption, answers_under_corruption
from audit.robustness.corruptions.examples import corruption_example
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, mean, proportion

# The most kinds that a modality has, to tell how long it takes.
_MOST_KINDS = 15
# Rows that tell what is typical.
_TYPICAL = 10_000
_CLEAN, _ALL = "none", "all"


@register
@dataclass(frozen=True, kw_only=True)
class Corruptions(Check):
    """Accuracy and calibration under each corruption at each severity, on the same rows as without any.

    Args:
        kinds: The corruptions; empty for every one that can be done to such inputs.
        severities: From 1, barely to be noticed, to 5.
        limit: Rows corrupted at most, a random sample of the test rows.
        bins: Bins of the calibration error.
        resamples: Resamples of the bootstrap.
    """

    kinds: tuple[str, ...] = ()
    severities: tuple[int, ...] = SEVERITIES
    limit: int = 1000
    bins: int = 15
    resamples: int = 1000
    metrics: ClassVar = (
        "robustness.corruption_accuracy",
        "robustness.mean_corruption_accuracy",
        "robustness.worst_corruption_accuracy",
        "robustness.corruption_calibration_error",
        "robustness.corruption_brier",
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"severities": (1, 3, 5), "limit": 250}, "thorough": {"limit": 10_000}}

    def __post_init__(self) -> None:
        if not self.severities or not set(self.severities) <= set(SEVERITIES):
            raise ConfigurationError(f"severities must be of 1 to {max(SEVERITIES)}, got {list(self.severities)}")
        if min(self.limit, self.bins, self.resamples) < 1:
            raise ConfigurationError(f"limit, bins and resamples must be at least 1, got {self.limit}, {self.bins}, {self.resamples}")

    def forward_rows(self, rows: int) -> int:
        return (1 + (len(self.kinds) or _MOST_KINDS) * len(self.severities)) * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        chosen = torch.randperm(len(test), generator=seed.child("rows").torch())[: self.limit].sort().values
        names = torch.from_numpy(np.asarray(test.ids[chosen.numpy()], dtype=np.int64))
        reference = (test if subject.training is None else subject.training).inputs[:_TYPICAL]
        x = test.inputs[chosen]
        found = answers_under_corruption(
            subject.model, x, test.labels[chosen], kinds=self.kinds, severities=self.severities,
            threshold=subject.decision.threshold, seed=seed.integer(), rows=names, reference=reference,
        )  # fmt: skip
        by_kind = {kind: self._accuracy(found, kind, seed) for kind in found.kinds}
        ordered = sorted(found.kinds, key=lambda kind: by_kind[kind].value or 0.0)
        calibration = {kind: self._calibration(found, kind, seed) for kind in (_CLEAN, *found.kinds)}
        shown = min(found.severities, key=lambda severity: abs(severity - 3))
        tables, figures = corruption_example(
            x[:1], test.schema, found.kinds, severity=shown, seed=seed.integer(), row=names[:1], reference=reference
        )
        metrics = (*_cells(found), *by_kind.values(), self._whole(found, seed), self._worst(found, seed))
        return Evidence(
            check=self.id,
            metrics=tuple(subject.on_test(metric) for metric in (*metrics, *(m for pair in calibration.values() for m in pair))),
            tables=(_by_corruption(found, ordered, by_kind, calibration), *_refused(found), *tables),
            figures=(self._curves(found, ordered, seed), *figures),
            parameters={**self.options(), "rows": len(x), "done": list(found.kinds)},
            seed=seed.value,
            notes=("robustness.corruptions",),
            arrays={
                "ids": test.ids[chosen.numpy()],
                "right_none": found.clean.right,
                **{f"right_{kind}": found.right(kind).T.copy() for kind in found.kinds},
            },
        )

    def _accuracy(self, found: UnderCorruption, kind: str, seed: Seed) -> Metric:
        """Accuracy under one corruption, over its severities."""
        metric = self._mean("robustness.mean_corruption_accuracy", found.right(kind).mean(0), seed.child(kind))
        return metric.measured_on(corruption=kind)

    def _whole(self, found: UnderCorruption, seed: Seed) -> Metric:
        rows = np.mean([found.right(kind).mean(0) for kind in found.kinds], axis=0)
        return self._mean("robustness.mean_corruption_accuracy", rows, seed.child(_ALL)).measured_on(corruption=_ALL)

    def _mean(self, name: str, values: Array, seed: Seed, *, lower: bool = False) -> Metric:
        return bootstrap(
            name, lambda weights: weights @ values / weights.sum(1), len(values), seed,
            resamples=self.resamples, better="lower" if lower else "higher",
        )  # fmt: skip

    def _worst(self, found: UnderCorruption, seed: Seed) -> Metric:
        """The least of the accuracies over severities; which corruption it is may differ from resample to resample."""
        rows = np.stack([found.right(kind).mean(0) for kind in found.kinds], axis=1)

        def least(weights: Array) -> Array:
            values: Array = (weights @ rows / weights.sum(1, keepdims=True)).min(1)
            return values

        return bootstrap("robustness.worst_corruption_accuracy", least, len(rows), seed.child("worst"), resamples=self.resamples)

    def _calibration(self, found: UnderCorruption, kind: str, seed: Seed) -> tuple[Metric, Metric]:
        """Calibration error and Brier score under one corruption, over its severities; or of the clean rows."""
        answers = [found.clean] if kind == _CLEAN else [found.corrupted[kind, severity] for severity in found.severities]
        confidence, right = np.stack([a.confidence for a in answers]), np.stack([a.right for a in answers])
        error = measure_calibration(
            "robustness.corruption_calibration_error", confidence, right, seed.child("calibration", kind),
            bins=self.bins, draws=self.resamples,
        )  # fmt: skip
        brier = np.mean([a.brier for a in answers], axis=0)
        score = self._mean("robustness.corruption_brier", brier, seed.child("brier", kind), lower=True)
        return error.measured_on(corruption=kind), score.measured_on(corruption=kind)

    def _curves(self, found: UnderCorruption, ordered: list[str], seed: Seed) -> Figure:
        """Accuracy against severity: the mean of all corruptions, and those of the least and the greatest mean."""
        clean = proportion("", found.clean.right)

        def curve(name: str, metrics: list[Metric]) -> Series:
            points = [clean, *metrics]
            return Series(
                name,
                x=(0.0, *map(float, found.severities)),
                y=tuple(point.value or 0.0 for point in points),
                low=tuple(point.low or 0.0 for point in points),
                high=tuple(point.high or 0.0 for point in points),
            )

        means = [
            mean("", np.mean([found.corrupted[kind, severity].right for kind in found.kinds], axis=0), seed.child("curve", severity))
            for severity in found.severities
        ]
        one = {kind: [proportion("", found.corrupted[kind, severity].right) for severity in found.severities] for kind in ordered}
        ends = [("worst", ordered[0]), ("best", ordered[-1])] if len(ordered) > 1 else []
        series = (curve("mean", means), *(curve(name, one[kind]) for name, kind in ends))
        words: dict[str, str | int | float] = {"n": len(found.clean.right), "kinds": len(found.kinds)}
        return Figure("accuracy_against_severity", "lines", series, words=words)


def _cells(found: UnderCorruption) -> list[Metric]:
    """Accuracy without any corruption, and under each at each severity."""

    def cell(answers: Answers, kind: str, severity: int) -> Metric:
        return proportion("robustness.corruption_accuracy", answers.right).measured_on(corruption=kind, severity=severity)

    corrupted = [cell(answers, kind, severity) for (kind, severity), answers in found.corrupted.items()]
    return [cell(found.clean, _CLEAN, 0), *corrupted]


def _by_corruption(
    found: UnderCorruption, ordered: list[str], by_kind: dict[str, Metric], calibration: dict[str, tuple[Metric, Metric]]
) -> Table:
    """Accuracy by corruption and severity, those that hurt most first, with calibration and what is no valid input."""
    severities = [f"severity_{severity}" for severity in found.severities]
    clean = found.clean
    rows: list[tuple[Cell, ...]] = [
        (_CLEAN, float(clean.right.mean()), *[None] * len(severities), *_calibrated(calibration[_CLEAN]), float(clean.invalid.mean()))
    ]
    for kind in ordered:
        answers = [found.corrupted[kind, severity] for severity in found.severities]
        invalid = float(np.mean([a.invalid for a in answers]))
        accuracies = (float(a.right.mean()) for a in answers)
        rows.append((kind, by_kind[kind].value, *accuracies, *_calibrated(calibration[kind]), invalid))
    return Table("by_corruption", ("corruption", "mean", *severities, "calibration_error", "brier", "invalid"), tuple(rows))


def _calibrated(pair: tuple[Metric, Metric]) -> tuple[Cell, Cell]:
    return pair[0].value, pair[1].value


def _refused(found: UnderCorruption) -> tuple[Table, ...]:
    """The corruptions that cannot be done to such inputs, and why."""
    rows: tuple[tuple[Cell, ...], ...] = tuple((kind.replace("_", " "), reason) for kind, reason in found.refused.items())
    return (Table("left_out", ("corruption", "reason"), rows),) if rows else ()
