"""How many rows stay right when each may change a little: the curve over eps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.pgd import Robustness, attack
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.seeds import Seed
from classifier.statistics import proportion

# Rows of the example; an attack on an image changes every patch.
_SHOWN = 12


@register
@dataclass(frozen=True, kw_only=True)
class Attack(Check):
    """Accuracy under gradient attack, for valid rows and for any, at several eps.

    Args:
        eps: Radii, as fractions of each feature's range.
        steps: Gradient steps of each restart.
        restarts: How often to begin.
        limit: Rows attacked at most, a random sample of the test rows.
    """

    eps: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    steps: int = 40
    restarts: int = 2
    limit: int = 2000
    metrics: ClassVar = ("robustness.clean_accuracy", "robustness.accuracy")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier", "gradient"})
    profiles: ClassVar = {"quick": {"steps": 20, "restarts": 1, "limit": 500}, "thorough": {"steps": 100, "restarts": 10}}

    def __post_init__(self) -> None:
        if not self.eps or min(self.eps) <= 0 or max(self.eps) > 1:
            raise ConfigurationError(f"eps must hold fractions above 0 and at most 1, got {list(self.eps)}")

    def forward_rows(self, rows: int) -> int:
        # A step is a forward pass to see and a forward and backward pass to climb, for valid rows and for any.
        return 2 * len(self.eps) * self.restarts * self.steps * 4 * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        changing = [feature for feature in test.schema.features if feature.mutable and feature.kind in ("continuous", "integer")]
        if not changing and max(self.eps) < 1:
            raise NotApplicableError(
                "what may change in these inputs is there or not, a category or an edge, so nothing changes by "
                f"eps = {max(self.eps):g} of its range",
                remedy="eps = [1.0] lets all of it change at once",
            )
        chosen = torch.randperm(len(test), generator=seed.child("rows").torch())[: self.limit].sort().values
        x, y = test.inputs[chosen], test.labels[chosen]
        results: dict[tuple[float, bool], Robustness] = {}
        standing: dict[tuple[float, bool], NDArray[np.bool_]] = {}
        # What fell within a smaller radius, or as a valid row, has fallen within a larger one and as any row too.
        for constrained in (True, False):
            left = np.ones(len(x), dtype=bool)
            for eps in sorted(self.eps):
                results[eps, constrained] = attack(
                    subject.model, x, y, eps=eps, constrained=constrained, threshold=subject.decision.threshold,
                    steps=self.steps, restarts=self.restarts, seed=seed.integer(),
                )  # fmt: skip
                left = left & results[eps, constrained].robust.numpy() & standing.get((eps, True), left)
                standing[eps, constrained] = left
        clean = results[min(self.eps), True].clean_accuracy
        valid, free = ([clean, *(self._accuracy(eps, kind, standing) for eps in sorted(self.eps))] for kind in (True, False))
        curves = (_curve("valid", valid), _curve("any", free))
        return Evidence(
            check=self.id,
            metrics=(subject.on_test(clean), *valid[1:], *free[1:]),
            tables=(_reach(subject, self.eps), *_example(subject, chosen, [results[eps, True] for eps in sorted(self.eps)])),
            figures=(Figure("accuracy_against_eps", "lines", curves, words={"n": len(x)}),),
            parameters={**self.options(), "rows": len(x), "evaluations": sum(r.evaluations for r in results.values())},
            seed=seed.value,
            notes=("robustness.upper_bound",),
            arrays={
                "ids": test.ids[chosen.numpy()],
                **{f"robust_{'valid' if c else 'any'}_{eps:g}": robust for (eps, c), robust in standing.items()},
            },
        )

    @staticmethod
    def _accuracy(eps: float, constrained: bool, standing: dict[tuple[float, bool], NDArray[np.bool_]]) -> Metric:
        accuracy = proportion("robustness.accuracy", standing[eps, constrained], bound="upper")
        return accuracy.measured_on(eps=eps, norm="Linf", rows="valid" if constrained else "any")


def _curve(name: str, metrics: list[Metric]) -> Series:
    return Series(
        name,
        x=tuple(float(metric.where.get("eps", 0.0)) for metric in metrics),
        y=tuple(metric.value or 0.0 for metric in metrics),
        low=tuple(metric.low or 0.0 for metric in metrics),
        high=tuple(metric.high or 0.0 for metric in metrics),
    )


def _reach(subject: Subject, radii: tuple[float, ...]) -> Table:
    """What each eps means in natural units, for the features that can change by less than a category."""
    rows: list[tuple[Cell, ...]] = []
    for feature in subject.test.schema.features:
        if feature.kind in ("continuous", "integer") and feature.mutable:
            steps = [eps * feature.span for eps in sorted(radii)]
            reach = [str(int(step + 1e-9)) if feature.kind == "integer" else f"{step:.3g}" for step in steps]
            rows.append((feature.name, feature.unit or None, *reach))
    return Table("reach", ("feature", "unit", *(f"eps={eps:g}" for eps in sorted(radii))), tuple(rows))


def _example(subject: Subject, chosen: torch.Tensor, results: list[Robustness]) -> tuple[Table, ...]:
    """The least change that turned a decision, feature by feature; of many, those that changed most."""
    # A wide search rarely stops at the nearest change: what a narrower one found may be smaller.
    distances = torch.stack([result.distance for result in results])
    distances[distances == 0] = torch.inf
    if not distances.isfinite().any():
        return ()
    search, least = divmod(int(distances.argmin()), distances.shape[1])
    result = results[search]
    modality = modality_of(subject.model.schema)
    before, after = modality.words(torch.stack([subject.test.inputs[chosen[least]], result.adversarial[least]]))
    probabilities = subject.model.probabilities(torch.stack([subject.test.inputs[chosen[least]], result.adversarial[least]]))
    names = subject.test.classes
    change = modality.gather((result.adversarial[least] - subject.test.inputs[chosen[least]]).abs()[None])[0]
    largest = {modality.players[i] for i in change.argsort(descending=True)[:_SHOWN].tolist()}
    rows: list[tuple[Cell, ...]] = [(name, before[name], after[name]) for name in before if name in largest and before[name] != after[name]]
    said = [f"{names[int(p.argmax())]} ({p.max().item():.1%})" for p in probabilities]
    return (Table("example", ("feature", "before", "after"), (*rows, ("(class)", *said)), single=True),)
