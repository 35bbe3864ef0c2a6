"""How far each row is from a wrong decision: the nearest change that attacks find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.attacking import attack
from audit.robustness.attacks.fab import FAB
from audit.robustness.attacks.fmn import FMN
from audit.robustness.attacks.hop_skip_jump import HopSkipJump
from audit.robustness.method import Attack
from audit.robustness.nearest import Nearest, nearest_wrong
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.perturbation import Norm
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, proportion

# Radii of the curve where none are given, as shares of the median distance.
_SHARES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
_RESAMPLES = 1000


@register
@dataclass(frozen=True, kw_only=True)
class Distance(Check):
    """The least change found that turns a right decision, in each norm, and the accuracy that it leaves at each eps.

    Args:
        norms: In which norms changes are measured.
        eps: Radii of the curve, in units of change; by default shares and multiples of each norm's median distance.
        quantiles: Quantiles of the distance that are told.
        constrained: Whether changed rows must be valid and respect what cannot be changed.
        steps: Steps of FMN, and of FAB towards each class.
        targets: Classes that FAB aims at.
        queries: Decisions that HopSkipJump asks for, where there are no gradients.
        limit: Rows at most, a random sample of the test rows.
    """

    norms: tuple[Norm, ...] = ("Linf", "L2")
    eps: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = (0.1, 0.5)
    constrained: bool = False
    steps: int = 100
    targets: int = 9
    queries: int = 2000
    limit: int = 500
    metrics: ClassVar = ("robustness.least_distance", "robustness.accuracy_by_distance")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"steps": 30, "targets": 3, "queries": 500, "limit": 100}, "thorough": {"queries": 20000, "limit": 2000}}

    def __post_init__(self) -> None:
        if not self.norms or not set(self.norms) <= {"Linf", "L2"}:
            raise ConfigurationError(f"norms must hold Linf or L2, got {list(self.norms)}")
        if any(not 0 < eps < inf for eps in self.eps) or not self.quantiles or any(not 0 < q < 1 for q in self.quantiles):
            raise ConfigurationError("eps must be above 0 and finite, and quantiles lie between 0 and 1")
        if self.limit < 1:
            raise ConfigurationError(f"limit must be at least 1, got {self.limit}")

    def forward_rows(self, rows: int) -> int:
        # A step is a pass forward and one backward, of FMN and of FAB towards each class.
        return len(self.norms) * 2 * self.steps * (1 + self.targets) * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        if not any(f.mutable and f.kind in ("continuous", "integer") for f in test.schema.features):
            raise NotApplicableError("what may change in these inputs is there or not, a category or an edge, so that no change is small")
        chosen = subject.sample(self.limit, seed).sort().values
        found = {norm: self._found(subject, chosen, norm, seed) for norm in dict.fromkeys(self.norms)}
        right = next(iter(found.values())).distance.numpy() > 0
        if not right.any():
            raise NotApplicableError(f"none of {len(chosen)} rows is decided rightly, so that no decision can turn")
        quantiles = [
            self._quantile(result.distance.numpy()[right], norm, q, seed.child(norm, q))
            for norm, result in found.items()
            for q in self.quantiles
        ]
        curves = {norm: self._curve(result.distance.numpy(), norm) for norm, result in found.items()}
        doubts = {norm: self._doubts(subject, chosen, result, norm, seed) for norm, result in found.items()}
        quantiles = [replace(metric, unreliable=doubts[cast("Norm", metric.where["norm"])]) for metric in quantiles]
        curves = {norm: [replace(metric, unreliable=doubts[norm]) for metric in curve] for norm, curve in curves.items()}
        return Evidence(
            check=self.id,
            metrics=(*quantiles, *(metric for curve in curves.values() for metric in curve)),
            tables=tuple(table for norm, result in found.items() for table in _moved(subject, chosen, result, norm)),
            figures=tuple(_figure(norm, curve, len(chosen)) for norm, curve in curves.items()),
            parameters={
                **self.options(),
                "rows": len(chosen),
                "attacks": [attack.id for attack in self._attacks(subject)],
                "queries_spent": int(sum(int(result.queries.sum()) for result in found.values())),
            },
            seed=seed.value,
            notes=("robustness.upper_bound",),
            arrays={
                "ids": test.ids[chosen.numpy()],
                **{f"distance_{norm}": result.distance.numpy() for norm, result in found.items()},
                **{f"adversarial_{norm}": result.adversarial.numpy() for norm, result in found.items()},
            },
        )

    def _attacks(self, subject: Subject) -> tuple[Attack, ...]:
        if subject.model.differentiable:
            return FMN(steps=self.steps), FAB(steps=self.steps, targets=self.targets)
        return (HopSkipJump(queries=self.queries, probes=min(100, self.queries // 5)),)

    def _found(self, subject: Subject, chosen: torch.Tensor, norm: Norm, seed: Seed) -> Nearest:
        return nearest_wrong(
            subject.model, subject.test.inputs[chosen], subject.test.labels[chosen], norm=norm, attacks=self._attacks(subject),
            constrained=self.constrained, threshold=subject.decision.threshold, seed=seed.integer(),
        )  # fmt: skip

    def _doubts(self, subject: Subject, chosen: torch.Tensor, result: Nearest, norm: Norm, seed: Seed) -> str:
        """The signs that attacks at the median distance raise, which look for nothing else."""
        finite = result.distance[(result.distance > 0) & result.distance.isfinite()]
        if not subject.model.differentiable or len(finite) == 0:
            return ""
        found = attack(
            subject.model, subject.test.inputs[chosen], subject.test.labels[chosen], eps=float(finite.median()), norm=norm, suite="quick",
            constrained=self.constrained, threshold=subject.decision.threshold, prove=False, seed=seed.child("flags", norm).integer(),
        )  # fmt: skip
        return "; ".join(map(str, found.flags))

    def _quantile(self, distance: Array, norm: Norm, quantile: float, seed: Seed) -> Metric:
        where: dict[str, str | float | int] = {"norm": norm, "quantile": quantile, "rows": self._rows}
        name = "robustness.least_distance"
        if not np.isfinite(np.sort(distance)[min(len(distance) - 1, int(quantile * len(distance)))]):
            lost = int(np.isinf(distance).sum())
            return Metric.missing(name, f"no wrong row was found of {lost} of {len(distance)} rows", n=len(distance), where=where)
        metric = bootstrap(name, lambda weights: _quantiles(distance, weights, quantile), len(distance), seed, resamples=_RESAMPLES)
        return replace(metric, bound="upper", unit="units of change").measured_on(**where)

    def _curve(self, distance: Array, norm: Norm) -> list[Metric]:
        finite = distance[(distance > 0) & np.isfinite(distance)]
        middle = float(np.median(finite)) if len(finite) else 1.0
        radii = sorted(set(self.eps)) or [float(f"{share * middle:.2g}") for share in _SHARES]
        return [
            # What lies exactly at eps is within it.
            proportion("robustness.accuracy_by_distance", distance > eps, bound="upper").measured_on(norm=norm, eps=eps, rows=self._rows)
            for eps in (0.0, *radii)
        ]

    @property
    def _rows(self) -> str:
        return "valid" if self.constrained else "any"


def _quantiles(distance: Array, weights: Array, quantile: float) -> Array:
    """The weighted quantile of each resample ``(B,)``; NaN where it is not finite."""
    order = np.argsort(distance, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1) >= quantile * weights.sum(1, keepdims=True)
    values: Array = distance[order][reached.argmax(1)].astype(float)
    return np.where(np.isfinite(values), values, np.nan)


def _figure(norm: str, curve: list[Metric], n: int) -> Figure:
    series = Series(
        norm,
        x=tuple(float(metric.where["eps"]) for metric in curve),
        y=tuple(metric.value or 0.0 for metric in curve),
        low=tuple(metric.low or 0.0 for metric in curve),
        high=tuple(metric.high or 0.0 for metric in curve),
    )
    return Figure(f"accuracy_against_eps_{norm.lower()}", "lines", (series,), words={"n": n})


def _moved(subject: Subject, chosen: torch.Tensor, result: Nearest, norm: Norm) -> tuple[Table, ...]:
    """What the nearest changes of a table's rows move, feature by feature, in natural units."""
    schema = subject.test.schema
    turned: NDArray[np.bool_] = (result.distance.isfinite() & (result.distance > 0)).numpy()
    if modality_of(schema).shape != (len(schema.columns),) or schema.modality != "tabular" or not turned.any():
        return ()
    change = (result.adversarial - subject.test.inputs[chosen]).numpy()[turned]
    rows: list[tuple[Cell, ...]] = []
    for feature in schema.features:
        if feature.kind in ("continuous", "integer"):
            unit = feature.span if schema.encoding == "unit" else 1.0
            moved = np.abs(change[:, schema.groups[feature.name]][:, 0]) * unit
            rows.append((feature.name, feature.unit or None, f"{np.median(moved):.3g}", f"{moved.max():.3g}"))
    return (Table(f"moved_{norm.lower()}", ("feature", "unit", "median", "largest"), tuple(rows)),) if rows else ()
