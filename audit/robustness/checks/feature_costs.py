"""What it takes of one feature alone to turn a decision, in natural units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.tables.costs import FeatureCosts, feature_costs
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.metric import Bound, Metric
from classifier.modality import modality_of
from classifier.schema import Feature, Schema
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, proportion

SHARE, CHANGE = "robustness.single_feature_share", "robustness.single_feature_change"
# A median of fewer rows has no interval worth the name.
_FEWEST = 5


@register
@dataclass(frozen=True, kw_only=True)
class SingleFeatures(Check):
    """For each row decided against, and each feature that may change, the least change of it alone that turns the decision.

    Args:
        limit: Rows looked at, at most, a random sample of those decided against.
        values: Values of a number that are tried on each side of a row's.
        shown: Features in the picture.
    """

    limit: int = 500
    values: int = 128
    shown: int = 15
    metrics: ClassVar = (SHARE, CHANGE)
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"limit": 100, "values": 32}, "thorough": {"limit": 5000, "values": 256}}

    def __post_init__(self) -> None:
        if self.limit < 1 or self.values < 1 or self.shown < 1:
            raise ConfigurationError(f"limit, values and shown must be at least 1, got {self.limit}, {self.values} and {self.shown}")

    def forward_rows(self, rows: int) -> int:
        # Both sides of each feature's values and the halvings; how many features there are is not known here.
        return rows + 20 * 2 * (self.values + 24) * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        schema = test.schema
        if schema.modality != "tabular":
            raise NotApplicableError(
                f"this goes through the values of a table's features, and the inputs are of the modality {schema.modality!r}"
            )
        against = self._against(subject)
        valid = modality_of(schema).valid(test.inputs).numpy()
        candidates = torch.from_numpy(np.flatnonzero(against & valid))
        if not len(candidates):
            raise NotApplicableError(
                f"no valid test row is decided as {_unwanted(subject)}, so there is no decision to turn" if against.sum() == 0
                else "no test row is valid by its schema, so nothing near it is"
            )  # fmt: skip
        order = torch.randperm(len(candidates), generator=seed.child("rows").torch())[: self.limit]
        chosen = candidates[order].sort().values
        reference = subject.training if subject.training is not None else test
        costs = feature_costs(
            subject.model, test.inputs[chosen], threshold=subject.decision.threshold, values=self.values, reference=reference.inputs
        )
        suffices, change = costs.suffices.numpy(), costs.change.numpy()
        whole: Bound = "estimate" if bool(costs.complete.all()) else "lower"
        metrics = [proportion(SHARE, np.any(suffices, axis=1), better="lower", bound=whole).measured_on(features="any")]
        for place, name in enumerate(costs.features):
            complete = bool(costs.complete[place])
            share = proportion(SHARE, suffices[:, place], better="lower", bound="estimate" if complete else "lower")
            metrics.append(share.measured_on(feature=name))
            feature = schema[name]
            if feature.kind in ("continuous", "integer"):
                metrics.append(_median(feature, change[:, place], complete, seed.child("median", name)))
        words: dict[str, str | int | float] = {"n": len(chosen)}
        return Evidence(
            check=self.id,
            metrics=tuple(metrics),
            tables=(_by_feature(schema, costs, metrics), *_example(subject, chosen, costs)),
            figures=_picture(metrics, self.shown, words),
            parameters={
                **self.options(), "rows": len(chosen), "decided": _unwanted(subject), "not_valid": int((against & ~valid).sum()),
                "features": list(costs.features), "queries": costs.queries,
            },
            seed=seed.value,
            notes=("robustness.about_this_model",),
            arrays={"ids": test.ids[chosen.numpy()], "change": change},
        )  # fmt: skip

    @staticmethod
    def _against(subject: Subject) -> NDArray[np.bool_]:
        presumed = subject.presumed(subject.probabilities())
        unwanted = _unwanted(subject)
        if not unwanted:
            return np.ones(len(presumed), dtype=bool)
        return np.asarray(presumed == subject.test.classes.index(unwanted))


def _unwanted(subject: Subject) -> str:
    """Of two classes the one that a person does not want to be taken for, the event where nobody said; empty of several."""
    classes = subject.test.classes
    if len(classes) > 2:
        return ""
    return classes[0] if subject.test.favourable == classes[1] else classes[1]


def _median(feature: Feature, change: Array, complete: bool, seed: Seed) -> Metric:
    """The median of the least changes, of the rows that the feature alone turns."""
    sizes = np.sort(np.abs(change[np.isfinite(change)]))
    if len(sizes) < _FEWEST:
        reason = f"this feature alone turns {len(sizes)} of {len(change)} decisions, and a median needs {_FEWEST}"
        return Metric.missing(CHANGE, reason, n=len(sizes), where={"feature": feature.name})

    def median(weights: Array) -> Array:
        reached = weights.cumsum(1) >= weights.sum(1, keepdims=True) / 2
        middle: Array = sizes[reached.argmax(1)]
        return middle

    metric = bootstrap(CHANGE, median, len(sizes), seed, better="higher")
    metric = replace(metric, unit=feature.unit, bound="estimate" if complete else "upper")
    return metric.measured_on(feature=feature.name)


def _by_feature(schema: Schema, costs: FeatureCosts, metrics: list[Metric]) -> Table:
    """Feature by feature, the most often sufficient first: in how many rows, and by how much in the median."""
    medians = {metric.where["feature"]: metric for metric in metrics if metric.name == CHANGE}
    suffices = costs.suffices.sum(0).tolist()
    rows: list[tuple[Cell, ...]] = []
    for place in sorted(range(len(suffices)), key=lambda place: -suffices[place]):
        name = costs.features[place]
        median = medians.get(name)
        size = None if median is None or median.value is None else f"{median.value:.4g}"
        told = "another value" if median is None and suffices[place] else size
        share = f"{suffices[place] / max(1, len(costs.change)):.1%}"
        rows.append((name, suffices[place], share, told, schema[name].unit or None))
    return Table("by_feature", ("feature", "rows", "share", "change", "unit"), tuple(rows))


def _example(subject: Subject, chosen: Tensor, costs: FeatureCosts) -> tuple[Table, ...]:
    """One row that several features alone would turn, and to what each must change."""
    counts = costs.suffices.sum(1)
    if not int(counts.max()):
        return ()
    case = int(counts.argmax())
    x = subject.test.inputs[chosen[case]]
    schema, modality = subject.test.schema, modality_of(subject.test.schema)
    places = costs.suffices[case].nonzero()[:, 0].tolist()
    turned = torch.stack([x, *(costs.turned(x, case, place, schema) for place in places)])
    before, *after = modality.words(turned)
    presumed = subject.presumed(subject.model.probabilities(turned).double().cpu().numpy())
    names = [costs.features[place] for place in places]
    classes = subject.test.classes
    rows: list[tuple[Cell, ...]] = [
        (name, before[name], said[name], _moved(schema[name], float(costs.change[case, place])), classes[presumed[number]])
        for number, (name, said, place) in enumerate(zip(names, after, places, strict=True), start=1)
    ]
    decision: tuple[Cell, ...] = ("(class)", None, None, None, classes[presumed[0]])
    return (Table("example", ("feature", "before", "after", "change", "decision"), (decision, *rows), single=True),)


def _moved(feature: Feature, change: float) -> str | None:
    if feature.kind not in ("continuous", "integer"):
        return None
    return f"{change:+,.4g} {feature.unit}".strip()


def _picture(metrics: list[Metric], shown: int, words: dict[str, str | int | float]) -> tuple[Figure, ...]:
    shares = sorted((m for m in metrics if m.name == SHARE and "feature" in m.where), key=lambda m: -(m.value or 0.0))[:shown]
    if not any(metric.value for metric in shares):
        return ()
    series = Series(
        "single_feature_share",
        x=tuple(float(place) for place in range(len(shares))),
        y=tuple(metric.value or 0.0 for metric in shares),
        low=tuple(metric.low or 0.0 for metric in shares),
        high=tuple(metric.high or 0.0 for metric in shares),
    )
    return (Figure("share_by_feature", "intervals", (series,), labels=tuple(str(m.where["feature"]) for m in shares), words=words),)
