"""Whether the decision treats the groups of each protected attribute alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.subject import Need, Subject
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, proportion, roc_auc_metric

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class _Outcome:
    """What the decision did to each row ``(N,)``, and what the row deserved."""

    score: Array
    approved: Hits
    good: Hits
    right: Hits


@register
@dataclass(frozen=True, kw_only=True)
class Groups(Check):
    """Rates by protected group, and the distance between the groups.

    Where the recipe is known, predictions are cross-fitted over all rows, so that n is what the data allow;
    else they are those of the test rows.

    Args:
        minimum: Groups of fewer rows are shown, but not compared.
        resamples: Resamples of the bootstrap intervals.
    """

    minimum: int = 30
    resamples: int = 2000
    metrics: ClassVar = (
        "fairness.approval_rate",
        "fairness.bad_rate_among_approved",
        "fairness.accuracy",
        "fairness.roc_auc",
        "fairness.selection_ratio",
        "fairness.accuracy_gap",
        "fairness.equal_opportunity_difference",
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"two_classes", "favourable", "protected"})
    trainings: ClassVar[int] = 5

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        crossed = subject.lacks("recipe") is None
        rows, probabilities = subject.cross_fitted(seed.value) if crossed else (subject.test, subject.probabilities())
        favourable = rows.classes.index(str(rows.favourable))
        presumed = subject.presumed(probabilities)
        labels = rows.labels.numpy()
        outcome = _Outcome(probabilities[:, favourable], presumed == favourable, labels == favourable, presumed == labels)
        metrics: list[Metric] = []
        cells: list[tuple[Cell, ...]] = []
        figures: list[Figure] = []
        codes: dict[str, NDArray[np.int64]] = {}
        for attribute in rows.protected:
            groups = rows.groups(attribute)
            # In the order in which the table shows the groups.
            names, codes[f"group_{attribute}"] = np.unique(groups, return_inverse=True)
            by_group = {str(name): _rates(outcome, groups == name) for name in names}
            for name, rates in by_group.items():
                metrics += [rate.measured_on(attribute=attribute, group=name) for rate in rates]
                cells.append((attribute, name, int((groups == name).sum()), *(rate.value for rate in rates)))
            compared = [name for name in by_group if (groups == name).sum() >= self.minimum]
            metrics += [m.measured_on(attribute=attribute) for m in self._distances(outcome, groups, compared, seed.child(attribute))]
            figures.append(_approval_figure(attribute, by_group))
        table = Table("by_group", ("attribute", "group", "rows", "approval_rate", "bad_rate", "accuracy", "roc_auc"), tuple(cells))
        return Evidence(
            check=self.id,
            metrics=tuple(metrics if crossed else [_on_test(subject, metric) for metric in metrics]),
            tables=(table,),
            figures=tuple(figures),
            parameters={**self.options(), "predictions": "cross-fitted over all rows" if crossed else "test rows", "rows": len(rows)},
            seed=seed.value,
            notes=("fairness.cross_fitted",) if crossed else ("fairness.test_rows",),
            arrays={"ids": rows.ids, "labels": labels, "probabilities": probabilities, **codes},
        )

    def _distances(self, outcome: _Outcome, groups: NDArray[np.object_], compared: list[str], seed: Seed) -> list[Metric]:
        """How far apart the groups are that are large enough to compare."""
        names = ("fairness.selection_ratio", "fairness.accuracy_gap", "fairness.equal_opportunity_difference")
        if len(compared) < 2:
            return [Metric.missing(name, f"fewer than two groups have {self.minimum} rows", n=len(groups)) for name in names]
        kept = np.isin(groups, compared)
        member = np.stack([groups[kept] == name for name in compared], axis=1).astype(float)
        good = outcome.good[kept]
        # What is averaged within each group, over which rows, and how the averages are compared.
        parts: tuple[tuple[Hits, Hits, Callable[[Array], Array]], ...] = (
            (outcome.approved[kept], np.ones_like(good), _lowest_over_highest),
            (outcome.right[kept], np.ones_like(good), _highest_less_lowest),
            (outcome.approved[kept], good, _highest_less_lowest),
        )
        strata = member.argmax(1)
        return [
            bootstrap(
                name,
                lambda weights, hits=hits, over=over, compare=compare: compare(_means(weights, hits, over, member)),  # type: ignore[misc]
                len(strata),
                seed.child(name),
                strata=strata,
                resamples=self.resamples,
                better="higher" if name == "fairness.selection_ratio" else "lower",
            )
            for name, (hits, over, compare) in zip(names, parts, strict=True)
        ]


def _on_test(subject: Subject, metric: Metric) -> Metric:
    """Rows that may have been learned from flatter what depends on being right; who is approved, they may move either way."""
    return metric if metric.name in ("fairness.approval_rate", "fairness.selection_ratio") else subject.on_test(metric)


def _rates(outcome: _Outcome, group: Hits) -> tuple[Metric, ...]:
    approved, good = outcome.approved[group], outcome.good[group]
    return (
        proportion("fairness.approval_rate", approved, better="neither"),
        proportion("fairness.bad_rate_among_approved", ~good[approved], better="lower", empty="nobody of the group was approved"),
        proportion("fairness.accuracy", outcome.right[group]),
        roc_auc_metric("fairness.roc_auc", outcome.score[group], good),
    )


def _means(weights: Array, hits: Hits, over: Hits, member: Array) -> Array:
    """The weighted share of hits in each group ``(B, G)``; NaN where a resample has no row of it to count."""
    counted = member * over[:, None]
    total = weights @ counted
    share: Array = np.divide(weights @ (counted * hits[:, None]), total, out=np.full_like(total, np.nan), where=total > 0)
    return share


def _lowest_over_highest(rates: Array) -> Array:
    highest = rates.max(1)
    return np.divide(rates.min(1), highest, out=np.full_like(highest, np.nan), where=highest > 0)


def _highest_less_lowest(rates: Array) -> Array:
    difference: Array = rates.max(1) - rates.min(1)
    return difference


def _approval_figure(attribute: str, by_group: dict[str, tuple[Metric, ...]]) -> Figure:
    rates = [rates[0] for rates in by_group.values()]
    series = Series(
        "approval_rate",
        x=tuple(float(i) for i in range(len(rates))),
        y=tuple(rate.value or 0.0 for rate in rates),
        low=tuple(rate.low or 0.0 for rate in rates),
        high=tuple(rate.high or 0.0 for rate in rates),
    )
    labels = tuple(f"{name} (n = {rate.n})" for name, rate in zip(by_group, rates, strict=True))
    return Figure(f"approval_by_{attribute}", "intervals", (series,), labels=labels, words={"attribute": attribute})
