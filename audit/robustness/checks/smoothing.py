"""How far the majority of decisions under noise holds: certified accuracy of the smoothed classifier against the radius."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from audit.check import Check, register
from audit.evidence import Evidence, Figure, Series, Table
from audit.robustness.certificates.smoothing import Smoothed, smooth
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import proportion

# Lines of one figure that can be told apart.
_MOST = 6


@register
@dataclass(frozen=True, kw_only=True)
class Smoothing(Check):
    """Certified accuracy, accuracy and abstentions of the classifier smoothed by Gaussian noise, at several strengths of it.

    Args:
        sigma: Standard deviations of the noise, in units of change (fractions of each feature's range).
        radii: L2 radii of the curve, in units of change.
        n0: Draws of noise that choose a row's class.
        n: Draws that count it.
        alpha: Chance at most, for each row, that its radius is too large.
        limit: Rows at most, a random sample of the test rows.
    """

    sigma: tuple[float, ...] = (0.12, 0.25, 0.5)
    radii: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
    n0: int = 100
    n: int = 10_000
    alpha: float = 0.001
    limit: int = 100
    metrics: ClassVar = (
        "robustness.smoothed_certified_accuracy",
        "robustness.smoothed_accuracy",
        "robustness.smoothed_abstentions",
        "robustness.unsmoothed_accuracy",
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"sigma": (0.25,), "n": 1000, "limit": 50}, "thorough": {"limit": 500}}

    def __post_init__(self) -> None:
        if not 1 <= len(self.sigma) <= _MOST or min(self.sigma) <= 0:
            raise ConfigurationError(f"sigma must hold 1 to {_MOST} numbers above 0, got {list(self.sigma)}")
        if not self.radii or min(self.radii) <= 0:
            raise ConfigurationError(f"radii must hold numbers above 0, got {list(self.radii)}")
        if self.limit < 1:
            raise ConfigurationError(f"limit must be at least 1, got {self.limit}")

    def forward_rows(self, rows: int) -> int:
        return len(self.sigma) * (self.n0 + self.n) * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        chosen = subject.sample(self.limit, seed).sort().values
        x, y = test.inputs[chosen], test.labels[chosen]
        smoothed = [
            smooth(
                subject.model, x, y, sigma=sigma, n0=self.n0, n=self.n, alpha=self.alpha,
                threshold=subject.decision.threshold, seed=seed.integer(),
            )
            for sigma in sorted(self.sigma)
        ]  # fmt: skip
        base = proportion("robustness.unsmoothed_accuracy", (smoothed[0].base == y).numpy())
        curves = [[self._certified(found, radius) for radius in (0.0, *sorted(self.radii))] for found in smoothed]
        return Evidence(
            check=self.id,
            metrics=(
                subject.on_test(base),
                *(replace(curve[0], name="robustness.smoothed_accuracy", where={"sigma": s.sigma}) for s, curve in _both(smoothed, curves)),
                *(
                    proportion("robustness.smoothed_abstentions", s.abstained.numpy(), better="lower").measured_on(sigma=s.sigma)
                    for s in smoothed
                ),
                *(metric for curve in curves for metric in curve[1:]),
            ),
            tables=(_table(smoothed, base),),
            figures=(_figure(smoothed, curves, {"n": len(x), "draws": self.n, "alpha": self.alpha}),),
            parameters={**self.options(), "rows": len(x), "threshold": subject.decision.threshold},
            seed=seed.value,
            notes=("robustness.smoothed",),
            arrays={
                "ids": test.ids[chosen.numpy()],
                "labels": y.numpy(),
                **{f"predicted_{found.sigma:g}": found.predicted.numpy() for found in smoothed},
                **{f"radius_{found.sigma:g}": found.radius.numpy() for found in smoothed},
            },
        )

    def _certified(self, found: Smoothed, radius: float) -> Metric:
        metric = proportion("robustness.smoothed_certified_accuracy", found.certified(radius).numpy(), bound="lower")
        # A row is certified by mistake with a chance of alpha, so the share that truly holds may be lower by as much.
        low = max(0.0, (metric.low or 0.0) - self.alpha)
        return replace(metric, low=low).measured_on(sigma=found.sigma, radius=radius)


def _both(smoothed: list[Smoothed], curves: list[list[Metric]]) -> list[tuple[Smoothed, list[Metric]]]:
    return list(zip(smoothed, curves, strict=True))


def _table(smoothed: list[Smoothed], base: Metric) -> Table:
    rows = tuple(
        (
            found.sigma,
            base.value,
            found.certified(0.0).double().mean().item(),
            int(found.abstained.sum()),
            found.radius[found.certified(0.0)].median().item() if found.certified(0.0).any() else None,
        )
        for found in smoothed
    )
    return Table("strengths", ("sigma", "unsmoothed", "smoothed", "abstained", "radius"), rows)


def _figure(smoothed: list[Smoothed], curves: list[list[Metric]], words: dict[str, str | int | float]) -> Figure:
    series = tuple(
        Series(
            f"noise_{number}",
            x=tuple(float(metric.where["radius"]) for metric in curve),
            y=tuple(metric.value or 0.0 for metric in curve),
            low=tuple(metric.low or 0.0 for metric in curve),
            high=tuple(metric.high or 0.0 for metric in curve),
        )
        for number, (found, curve) in enumerate(_both(smoothed, curves), start=1)
    )
    words = {**words, **{f"noise_{number}": found.sigma for number, found in enumerate(smoothed, start=1)}}
    return Figure("accuracy_against_radius", "lines", series, words=words)
