"""The sandwich: how many rows are proven to stay right, how many truly do, and how many no attack has broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.certificates.margins import Relaxation
from audit.robustness.sandwich import FALLEN, ROBUST, UNDECIDED, Kind, Sandwich
from audit.robustness.suites import PASSES
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import proportion


@register
@dataclass(frozen=True, kw_only=True)
class Bounds(Check):
    """Certified accuracy at several eps, for any rows and for valid ones, exact accuracy on a subsample, and attacked accuracy.

    Row by row, what is proven to stand must truly stand, and what truly stands must withstand the attacks. Where it does
    not, one of the engines is wrong, and the audit stops with an internal error.

    Args:
        eps: Radii in the maximum norm, as fractions of each feature's range.
        methods: Bounds that are tried, the cheapest first, each on the rows that those before it left open.
        limit: Rows at most, a random sample of the test rows.
        exact: Of these the rows at most whose exact answer is sought.
        nodes: Nodes of the solver's search tree for each margin at most.
        binaries: Unstable activations of a row at most, beyond which its exact answer is not sought.
        suite: What the same rows are attacked with, as far as they are not proven; those that are, by the quick one.
    """

    eps: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    methods: tuple[Relaxation, ...] = ("ibp", "crown_ibp", "crown")
    limit: int = 200
    exact: int = 30
    nodes: int = 500
    binaries: int = 40
    suite: str = "standard"
    metrics: ClassVar = ("robustness.certified_accuracy", "robustness.exact_accuracy")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {
        "quick": {"methods": ("ibp", "crown_ibp"), "limit": 50, "exact": 10, "suite": "quick"},
        "thorough": {"methods": ("ibp", "crown_ibp", "crown", "alpha_crown"), "limit": 1000, "exact": 100, "nodes": 10_000},
    }

    def __post_init__(self) -> None:
        if not self.eps or min(self.eps) <= 0 or max(self.eps) > 1:
            raise ConfigurationError(f"eps must hold fractions above 0 and at most 1, got {list(self.eps)}")
        if not self.methods or self.limit < 1 or self.exact < 0:
            raise ConfigurationError(
                f"there must be a method, at least 1 row, and no negative number of exact ones, got {list(self.methods)}, {self.limit}, "
                f"{self.exact}"
            )

    def forward_rows(self, rows: int) -> int:
        # Bounds of a row cost about as much as some dozens of forward passes a method, and what falls within a small radius is
        # not attacked within a larger one; how long exact answers are sought hangs on the network.
        return 2 * len(self.eps) * (len(self.methods) * 50 + PASSES[self.suite] // 2) * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        drawn = subject.sample(self.limit, seed)
        asked = torch.isin(drawn.sort().values, drawn[: self.exact])
        chosen = drawn.sort().values
        work = Sandwich(
            subject.model, test.inputs[chosen], test.labels[chosen], asked, methods=self.methods, nodes=self.nodes, binaries=self.binaries,
            suite=self.suite, threshold=subject.decision.threshold,
        )  # fmt: skip
        radii = sorted(self.eps)
        kinds: tuple[Kind, ...] = ("any", "valid")
        for kind in kinds:
            for eps in reversed(radii):
                work.certify(eps, kind)
        for kind in kinds:
            for eps in radii:
                work.decide(eps, kind)
                work.attack(eps, kind, seed)
        certified = {key: self._certified(*key, found) for key, found in sorted(work.certified.items(), key=_by_kind)}
        exact = {(eps, kind): self._exact(eps, kind, work) for kind in kinds for eps in radii} if self.exact else {}
        return Evidence(
            check=self.id,
            metrics=(*certified.values(), *exact.values()),
            tables=(_methods_table(work), *((_exact_table(work),) if work.states else ())),
            figures=tuple(_figure(kind, work, certified, exact, {"n": len(chosen), "exact": work.decided(kind)}) for kind in kinds),
            parameters={**self.options(), "rows": len(chosen), "exact_rows": int(asked.sum()), "threshold": subject.decision.threshold},
            seed=seed.value,
            notes=("robustness.lower_bound",),
            arrays={
                "ids": test.ids[chosen.numpy()],
                "exact_asked": asked.numpy(),
                **{f"certified_{kind}_{eps:g}": found.numpy() for (eps, kind), found in work.certified.items()},
                **{f"exact_{kind}_{eps:g}": state.numpy() for (eps, kind), state in work.states.items()},
                **{f"attacked_{kind}_{eps:g}": standing.numpy() for (eps, kind), standing in work.attacked.items()},
            },
        )

    @staticmethod
    def _certified(eps: float, kind: Kind, found: Tensor) -> Metric:
        metric = proportion("robustness.certified_accuracy", found.numpy(), bound="lower")
        return metric.measured_on(eps=eps, norm="Linf", rows=kind)

    @staticmethod
    def _exact(eps: float, kind: Kind, work: Sandwich) -> Metric:
        where: dict[str, str | float | int] = {"eps": eps, "norm": "Linf", "rows": kind}
        if (eps, kind) not in work.states:
            return Metric.missing("robustness.exact_accuracy", work.refused[eps, kind], where=where)
        state: NDArray[np.int8] = work.states[eps, kind][work.asked].numpy()
        undecided = int((state == UNDECIDED).sum())
        if undecided:
            reason = f"{undecided} of {len(state)} rows were not decided within the limits of the search"
            return Metric.missing("robustness.exact_accuracy", reason, n=len(state), where=where)
        return proportion("robustness.exact_accuracy", state == ROBUST).measured_on(**where)


def _methods_table(work: Sandwich) -> Table:
    """Which method certified how many rows."""
    rows: list[tuple[Cell, ...]] = []
    for (eps, kind), counts in sorted(work.by.items(), key=_by_kind):
        open_ = int(work.right.sum()) - int(work.certified[eps, kind].sum())
        rows.append(
            (eps, kind, int((~work.right).sum()), counts["known"], *(counts.get(method) for method in (*work.methods, "law")), open_)
        )
    return Table("methods", ("eps", "kind", "wrong", "known", *work.methods, "law", "open"), tuple(rows))


def _exact_table(work: Sandwich) -> Table:
    """How many rows of the subsample are robust, fall, or stay undecided."""
    rows = [
        (
            eps,
            kind,
            int(work.certified[eps, kind][work.asked].sum()),
            *(int((state[work.asked] == value).sum()) for value in (ROBUST, FALLEN, UNDECIDED)),
            int(work.attacked[eps, kind][work.asked].sum()),
            work.unstable[eps, kind],
        )
        for (eps, kind), state in work.states.items()
    ]
    return Table("exact", ("eps", "kind", "proven", "robust", "fallen", "undecided", "attacked", "unstable"), tuple(rows))


def _by_kind(item: tuple[tuple[float, Kind], object]) -> tuple[str, float]:
    (eps, kind), _ = item
    return kind, eps


def _figure(
    kind: Kind,
    work: Sandwich,
    certified: Mapping[tuple[float, Kind], Metric],
    exact: Mapping[tuple[float, Kind], Metric],
    words: dict[str, str | int | float],
) -> Figure:
    clean = proportion("robustness.certified_accuracy", work.right.numpy())
    attacked = {key: proportion("robustness.accuracy", standing.numpy(), bound="upper") for key, standing in work.attacked.items()}
    curves = []
    for name, found in (("certified", certified), ("exact", exact), ("attacked", attacked)):
        points = [
            (eps, metric) for (eps, whose), metric in sorted(found.items(), key=_by_kind) if whose == kind and metric.value is not None
        ]
        # The exact answer is of fewer rows, of which another share is right.
        points = points if name == "exact" else [(0.0, clean), *points]
        if points:
            curves.append(_curve(name, points))
    return Figure(f"sandwich_{kind}", "lines", tuple(curves), words=words)


def _curve(name: str, points: list[tuple[float, Metric]]) -> Series:
    places, metrics = zip(*points, strict=True)
    low, high = ([end or 0.0 for end in ends] for ends in zip(*((m.low, m.high) for m in metrics), strict=True))
    return Series(name, x=tuple(places), y=tuple(m.value or 0.0 for m in metrics), low=tuple(low), high=tuple(high))
