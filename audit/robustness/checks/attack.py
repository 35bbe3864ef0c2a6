"""How many rows stay right when each may change a little: the curve over eps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.attacking import attack
from audit.robustness.result import Flag, Robustness
from audit.robustness.suites import PASSES, SUITES
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.metric import Metric
from classifier.modalities.image import Image
from classifier.modality import modality_of
from classifier.perturbation import Norm
from classifier.seeds import Seed
from classifier.statistics import proportion

# Parts of the example; an attack on an image changes every patch. And images that are shown beside what became of them.
_SHOWN, _PICTURES = 12, 3


@register
@dataclass(frozen=True, kw_only=True)
class UnderAttack(Check):
    """Accuracy under a suite of attacks, for valid rows and for any, at several eps.

    Args:
        eps: Radii, as fractions of each feature's range.
        norm: In which changes are measured.
        suite: ``"quick"``, ``"standard"`` or ``"thorough"``.
        limit: Rows attacked at most, a random sample of the test rows.
    """

    eps: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    norm: Norm = "Linf"
    suite: str = "standard"
    limit: int = 1000
    metrics: ClassVar = ("robustness.clean_accuracy", "robustness.accuracy")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"suite": "quick", "limit": 500}, "thorough": {"suite": "thorough", "limit": 5000}}

    def __post_init__(self) -> None:
        if not self.eps or min(self.eps) <= 0 or (self.norm == "Linf" and max(self.eps) > 1):
            raise ConfigurationError(f"eps must hold fractions above 0 and at most 1, got {list(self.eps)}")
        if self.suite not in SUITES:
            raise ConfigurationError(f"there is no suite {self.suite!r}", remedy=did_you_mean(self.suite, SUITES))
        if self.limit < 1:
            raise ConfigurationError(f"limit must be at least 1, got {self.limit}")

    def forward_rows(self, rows: int) -> int:
        # What falls within a small radius is not attacked within a larger one.
        return 2 * len(self.eps) * PASSES[self.suite] * min(rows, self.limit) // 2

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        _require_small_changes(subject, max(self.eps))
        chosen = subject.sample(self.limit, seed).sort().values
        search = _Search(self, subject, test.inputs[chosen], test.labels[chosen], seed)
        for kind in ("valid", "any"):
            for eps in sorted(self.eps):
                search.run(eps, kind)
        clean = proportion("robustness.clean_accuracy", search.right.numpy())
        found = {(kind, eps): search.accuracy(eps, kind) for kind in ("valid", "any") for eps in sorted(self.eps)}
        curves = [_curve(kind, [clean, *(metric for (whose, _), metric in found.items() if whose == kind)]) for kind in ("valid", "any")]
        return Evidence(
            check=self.id,
            metrics=(subject.on_test(clean), *found.values()),
            tables=(_reach(subject, self.eps), search.table(), *_example(subject, chosen, search)),
            figures=(Figure("accuracy_against_eps", "lines", tuple(curves), words={"n": len(chosen)}), *_pictures(subject, chosen, search)),
            parameters={**self.options(), "rows": len(chosen), "evaluations": search.evaluations},
            seed=seed.value,
            notes=("robustness.upper_bound",),
            arrays={
                "ids": test.ids[chosen.numpy()],
                **{f"robust_{kind}_{eps:g}": standing.numpy() for (eps, kind), standing in search.standing.items()},
            },
        )


class _Search:
    """What fell at each radius, as a valid row or as any.

    What fell within a smaller radius, or as a valid row, has fallen within a larger one and as any row too, so that it is not
    attacked again.
    """

    def __init__(self, check: UnderAttack, subject: Subject, x: Tensor, y: Tensor, seed: Seed) -> None:
        self.check, self.subject, self.x, self.y, self._seed = check, subject, x, y, seed
        self.right = torch.from_numpy(subject.presumed(subject.model.probabilities(x).double().cpu().numpy())) == y
        self.standing: dict[tuple[float, str], Tensor] = {}
        self.flags: dict[tuple[float, str], tuple[Flag, ...]] = {}
        #: Rows that each attack broke at each radius, and those that were proven to stand.
        self.broken: dict[tuple[float, str], Mapping[str, int]] = {}
        #: The nearest valid row that was found wrong, and how far it is, as far as one was.
        self.nearest, self.distance = x.clone(), torch.full((len(x),), torch.inf)
        self.evaluations = 0

    def run(self, eps: float, kind: str) -> None:
        """Attack what still stands."""
        left = self.right.clone()
        for (other, whose), standing in self.standing.items():
            if other <= eps and whose in ("valid", kind):
                left &= standing
        self.standing[eps, kind], self.flags[eps, kind], self.broken[eps, kind] = left, (), {}
        rows = left.nonzero()[:, 0]
        if len(rows) == 0:
            return
        result = attack(
            self.subject.model, self.x[rows], self.y[rows], eps=eps, norm=self.check.norm, suite=self.check.suite,
            constrained=kind == "valid", threshold=self.subject.decision.threshold, seed=self._seed.child(kind, f"{eps:g}").integer(),
        )  # fmt: skip
        left[rows] = result.robust
        self.flags[eps, kind] = result.flags
        self.broken[eps, kind] = {**result.broken, "proven": int(result.certified.sum())}
        self.evaluations += result.evaluations
        if kind == "valid":
            self._remember(rows, result)

    def _remember(self, rows: Tensor, result: Robustness) -> None:
        closer = ~result.robust & (result.distance < self.distance[rows])
        self.nearest[rows[closer]], self.distance[rows[closer]] = result.adversarial[closer], result.distance[closer]

    def accuracy(self, eps: float, kind: str) -> Metric:
        """The share of all rows that stands."""
        where: dict[str, str | float | int] = {"eps": eps, "norm": self.check.norm, "rows": kind}
        if not self.right.any():
            reason = "no row is decided rightly, so that none can be attacked"
            return Metric.missing("robustness.accuracy", reason, n=len(self.right), where=where)
        accuracy = proportion("robustness.accuracy", self.standing[eps, kind].numpy(), bound="upper").measured_on(**where)
        return replace(accuracy, unreliable="; ".join(map(str, self.flags[eps, kind])))

    def table(self) -> Table:
        """Which attack broke how many rows."""
        names = list(dict.fromkeys(name for counts in self.broken.values() for name in counts if name != "proven"))
        rows: list[tuple[Cell, ...]] = [
            (eps, kind, *(counts.get(name, 0) for name in names), counts.get("proven", 0), int(self.standing[eps, kind].sum()))
            for (eps, kind), counts in self.broken.items()
        ]
        return Table("broken_by", ("eps", "kind", *names, "proven", "standing"), tuple(rows))


def _require_small_changes(subject: Subject, eps: float) -> None:
    schema = subject.test.schema
    if schema.modality == "text":
        raise NotApplicableError(
            "a text changes by whole words and characters, and by no fraction", remedy="robustness.text_edits edits texts"
        )
    changing = [feature for feature in schema.features if feature.mutable and feature.kind in ("continuous", "integer")]
    if not changing and eps < 1:
        raise NotApplicableError(
            f"what may change in these inputs is there or not, a category or an edge, so nothing changes by eps = {eps:g} of its range",
            remedy="eps = [1.0] lets all of it change at once",
        )


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


def _example(subject: Subject, chosen: Tensor, search: _Search) -> tuple[Table, ...]:
    """The least change that turned a decision, feature by feature; of many, those that changed most."""
    if not search.distance.isfinite().any():
        return ()
    least = int(search.distance.argmin())
    before, after = search.x[least], search.nearest[least]
    modality = modality_of(subject.model.schema)
    was, became = modality.words(torch.stack([before, after]))
    probabilities = subject.model.probabilities(torch.stack([before, after]))
    change = modality.gather((after - before).abs()[None])[0]
    largest = {modality.players[i] for i in change.argsort(descending=True)[:_SHOWN].tolist()}
    rows: list[tuple[Cell, ...]] = [(name, was[name], became[name]) for name in was if name in largest and was[name] != became[name]]
    said = [_said(subject, p) for p in probabilities]
    return (Table("example", ("feature", "before", "after"), (*rows, ("(class)", *said)), single=True),)


def _pictures(subject: Subject, chosen: Tensor, search: _Search) -> tuple[Figure, ...]:
    """Images, what turned them, and the difference, those of the least change."""
    modality = modality_of(subject.model.schema)
    found = search.distance.isfinite().nonzero()[:, 0]
    if not isinstance(modality, Image) or len(found) == 0:
        return ()
    series, labels = [], []
    for row in found[search.distance[found].argsort(stable=True)][:_PICTURES].tolist():
        pair = torch.stack([search.x[row], search.nearest[row]])
        clean, changed = modality.picture(pair)
        names = [_said(subject, p) for p in subject.model.probabilities(pair)]
        apart = abs(changed - clean)
        shown = (clean, changed, apart / max(float(apart.max()), 1e-12))
        said = (names[0], names[1], f"difference, at most {float(search.distance[row]):.3g}")
        for pixels, label in zip(shown, said, strict=True):
            series.append(Series(f"{subject.test.ids[chosen[row]]}", x=(), y=tuple(round(float(pixel), 4) for pixel in pixels.flatten())))
            labels.append(label)
    height, width, channels = clean.shape
    words: dict[str, str | int | float] = {"height": height, "width": width, "channels": channels, "columns": len(shown)}
    return (Figure("examples", "pictures", tuple(series), labels=tuple(labels), words=words, single=True),)


def _said(subject: Subject, probabilities: Tensor) -> str:
    place = int(subject.presumed(probabilities[None].double().cpu().numpy())[0])
    return f"{subject.test.classes[place]} ({float(probabilities[place]):.1%})"
