"""The sandwich: how many rows are proven to stay right, how many truly do, and how many no attack has broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.attacking import attack
from audit.robustness.certificates.certifying import certify
from audit.robustness.certificates.exact import exact_robust
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, InternalError, NotApplicableError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.seeds import Seed
from classifier.statistics import proportion

Kind = Literal["any", "valid"]
Bounding = Literal["ibp", "crown_ibp", "crown", "alpha_crown"]
_ROBUST, _FALLEN, _UNDECIDED = 1, 0, -1


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
        suite: What the same rows are attacked with.
    """

    eps: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    methods: tuple[Bounding, ...] = ("ibp", "crown_ibp", "crown")
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
        # Bounds of a row cost about as much as some dozens of forward passes a method.
        return 2 * len(self.eps) * len(self.methods) * 50 * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        drawn = subject.sample(self.limit, seed)
        asked = torch.isin(drawn.sort().values, drawn[: self.exact])
        chosen = drawn.sort().values
        work = _Work(subject, test.inputs[chosen], test.labels[chosen], self, asked)
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
            tables=(work.table(self.methods), *((work.exact_table(),) if work.states else ())),
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
    def _exact(eps: float, kind: Kind, work: _Work) -> Metric:
        where: dict[str, str | float | int] = {"eps": eps, "norm": "Linf", "rows": kind}
        if (eps, kind) not in work.states:
            return Metric.missing("robustness.exact_accuracy", work.refused[eps, kind], where=where)
        state: NDArray[np.int8] = work.states[eps, kind][work.asked].numpy()
        undecided = int((state == _UNDECIDED).sum())
        if undecided:
            reason = f"{undecided} of {len(state)} rows were not decided within the limits of the search"
            return Metric.missing("robustness.exact_accuracy", reason, n=len(state), where=where)
        return proportion("robustness.exact_accuracy", state == _ROBUST).measured_on(**where)


@dataclass
class _Work:
    """What is known of each row so far.

    What holds within a radius holds within a smaller one, and what holds for any row holds for valid ones; what falls
    falls the other way round. So each row is asked only where that does not tell.
    """

    subject: Subject
    x: Tensor
    y: Tensor
    options: Bounds
    asked: Tensor
    certified: dict[tuple[float, Kind], Tensor] = field(default_factory=dict)
    by: dict[tuple[float, Kind], dict[str, int]] = field(default_factory=dict)
    states: dict[tuple[float, Kind], Tensor] = field(default_factory=dict)
    unstable: dict[tuple[float, Kind], int] = field(default_factory=dict)
    refused: dict[tuple[float, Kind], str] = field(default_factory=dict)
    attacked: dict[tuple[float, Kind], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # At eps = 0 a row is certified where it is right; a network that cannot be bounded is refused here.
        model, method = self.subject.model, self.options.methods[0]
        self.right = certify(model, self.x, self.y, eps=0.0, method=method, threshold=self.subject.decision.threshold)
        fall, rise = modality_of(model.schema).movable
        self._all_move = bool((fall & rise).all())
        # Levels of pixels are close, and categories far apart.
        self._gridded = model.schema.modality == "tabular" and any(feature.kind != "continuous" for feature in model.schema.features)

    def certify(self, eps: float, kind: Kind) -> None:
        """Bound each row that is right and not known to be certified."""
        known = torch.zeros_like(self.right)
        for (other, whose), found in self.certified.items():
            known |= found if other >= eps and whose in ("any", kind) else False
        counts = {"known": int(known.sum())}
        found = known.clone()
        # Where everything may move either way, bounds of valid rows are those of any.
        methods = () if kind == "valid" and self._all_move else self.options.methods
        for method in methods:
            rows = (self.right & ~found).nonzero()[:, 0]
            if len(rows):
                found[rows] = certify(
                    self.subject.model, self.x[rows], self.y[rows], eps=eps, method=method,
                    threshold=self.subject.decision.threshold, constrained=kind == "valid",
                )  # fmt: skip
            counts[method] = int(found.sum()) - sum(counts.values())
        if kind == "valid" and self._gridded:
            rows = (self.right & ~found).nonzero()[:, 0]
            found[rows] = self._lawful(eps, rows)
            counts["law"] = int(found.sum()) - sum(counts.values())
        self.certified[eps, kind], self.by[eps, kind] = found, counts

    def _lawful(self, eps: float, rows: Tensor) -> Tensor:
        """Rows proven by bounds that know that valid rows have whole numbers and one category a group ``(n,)``."""
        nothing = torch.zeros(len(rows), dtype=torch.bool)
        if len(rows) == 0:
            return nothing
        try:
            return exact_robust(
                self.subject.model, self.x[rows], self.y[rows], eps=eps, threshold=self.subject.decision.threshold,
                constrained=True, nodes=1, binaries=0,
            ).robust  # fmt: skip
        except NotApplicableError:
            # What the exact answer does not know, such bounds do not know either.
            return nothing

    def decide(self, eps: float, kind: Kind) -> None:
        """Seek the exact answer for the rows of the subsample."""
        smaller = [reason for (other, whose), reason in self.refused.items() if other <= eps and whose == kind]
        if smaller:
            # More may change within a larger radius, and more neurons switch.
            self.refused[eps, kind] = smaller[0]
            return
        state = torch.full(self.right.shape, _UNDECIDED, dtype=torch.int8)
        state[~self.right] = _FALLEN
        state[self.certified[eps, kind]] = _ROBUST
        for (other, whose), earlier in self.states.items():
            state[(earlier == _ROBUST) & (other >= eps and whose in ("any", kind))] = _ROBUST
            state[(earlier == _FALLEN) & (other <= eps and whose == kind)] = _FALLEN
        rows = (self.asked & (state == _UNDECIDED)).nonzero()[:, 0]
        self.unstable[eps, kind] = 0
        if len(rows):
            try:
                found = exact_robust(
                    self.subject.model, self.x[rows], self.y[rows], eps=eps, threshold=self.subject.decision.threshold,
                    constrained=kind == "valid", nodes=self.options.nodes, binaries=self.options.binaries,
                )  # fmt: skip
            except NotApplicableError as error:
                self.refused[eps, kind] = str(error)
                return
            state[rows[found.robust]] = _ROBUST
            state[rows[found.decided & ~found.robust]] = _FALLEN
            self.unstable[eps, kind] = int(found.unstable.max())
        self.states[eps, kind] = state

    def attack(self, eps: float, kind: Kind, seed: Seed) -> None:
        """Attack each row that is right and was not broken where less could change, those that are proven too.

        Raises:
            InternalError: If a row falls that is proven to stand, or is exactly known to.
        """
        left = self.right.clone()
        for (other, whose), standing in self.attacked.items():
            left &= standing if other <= eps and whose in ("valid", kind) else True
        rows = left.nonzero()[:, 0]
        if len(rows):
            left[rows] = attack(
                self.subject.model, self.x[rows], self.y[rows], eps=eps, suite=self.options.suite, constrained=kind == "valid",
                threshold=self.subject.decision.threshold, prove=False, seed=seed.child("attack", kind, f"{eps:g}").integer(),
            ).robust  # fmt: skip
        self.attacked[eps, kind] = left
        robust = self.states[eps, kind] == _ROBUST if (eps, kind) in self.states else self.certified[eps, kind]
        _require_order(self.certified[eps, kind], robust | ~self.asked, f"proven at eps = {eps:g} and yet not exactly robust")
        _require_order(self.certified[eps, kind] | (robust & self.asked), left, f"proven at eps = {eps:g} and yet broken by an attack")

    def decided(self, kind: Kind) -> int:
        """How many rows an exact answer was sought for and found at some radius."""
        return int(self.asked.sum()) if any(whose == kind for _, whose in self.states) else 0

    def table(self, methods: tuple[Bounding, ...]) -> Table:
        """Which method certified how many rows."""
        rows: list[tuple[Cell, ...]] = []
        for (eps, kind), counts in sorted(self.by.items(), key=_by_kind):
            open_ = int(self.right.sum()) - int(self.certified[eps, kind].sum())
            rows.append(
                (eps, kind, int((~self.right).sum()), counts["known"], *(counts.get(method) for method in (*methods, "law")), open_)
            )
        return Table("methods", ("eps", "kind", "wrong", "known", *methods, "law", "open"), tuple(rows))

    def exact_table(self) -> Table:
        """How many rows of the subsample are robust, fall, or stay undecided."""
        rows = [
            (
                eps,
                kind,
                int(self.certified[eps, kind][self.asked].sum()),
                *(int((state[self.asked] == value).sum()) for value in (_ROBUST, _FALLEN, _UNDECIDED)),
                int(self.attacked[eps, kind][self.asked].sum()),
                self.unstable[eps, kind],
            )
            for (eps, kind), state in self.states.items()
        ]
        return Table("exact", ("eps", "kind", "proven", "robust", "fallen", "undecided", "attacked", "unstable"), tuple(rows))


def _require_order(less: Tensor, more: Tensor, what: str) -> None:
    wrong = int((less & ~more).sum())
    if wrong:
        raise InternalError(f"{wrong} rows are {what}", remedy="report this: a bound or an attack is wrong, and neither can be quoted")


def _by_kind(item: tuple[tuple[float, Kind], object]) -> tuple[str, float]:
    (eps, kind), _ = item
    return kind, eps


def _figure(
    kind: Kind,
    work: _Work,
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
