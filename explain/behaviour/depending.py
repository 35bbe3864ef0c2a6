"""Depending: how the output follows one feature or two, over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.schema import Feature
from classifier.seeds import Seed
from explain.behaviour.accumulated_effects import AccumulatedEffects, similar_order
from explain.behaviour.accumulated_interaction import AccumulatedInteraction
from explain.behaviour.answers import Answers
from explain.behaviour.cases import associations, draw_cases, require_table, resample_weights
from explain.behaviour.partial_dependence import PartialDependence, conditional_curves
from explain.behaviour.side import Side, side_of
from explain.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Kind = Literal["ale", "pdp", "ice"]
NAMES: dict[Kind, str] = {
    "ale": "accumulated local effects",
    "pdp": "partial dependence",
    "ice": "individual conditional expectation",
}
_POINTS, _SIDE = 30, 10
# A step over fewer rows than this is noted.
_FEW = 10


@dataclass(frozen=True, eq=False)
class Dependence(Saved):
    """How the output follows a feature, or two.

    Args:
        kind: ``"ale"``, ``"pdp"`` or ``"ice"``.
        features: The feature, or both of a pair.
        grids: The values of each, in natural units ``(G,)``: numbers, or words.
        values: The output at each point for each class ``(G, T)``, of a pair ``(G, H, T)``. Accumulated effects have mean 0
            over the rows, and those of a pair are only what the two do together beyond what each does alone.
        low: Lower end of the intervals, of the shape of `values`.
        high: Upper end.
        curves: Of ``"ice"``, the output of every row ``(N, G, T)``.
        cases: The values of each feature in the rows ``(N,)``.
        counts: How many rows each step of accumulated effects is taken over; of other kinds nothing.
        classes: The classes that are looked at.
        unit: What the values are, with the class: ``"log-odds of bad"``.
        centred: Whether curves are the change since the first value of the grid.
        confidence: Coverage of the intervals, at each point by itself.
        seed: What was sampled with.
        notes: What a reader must know.
        classifier_digest: Digest of the classifier.
    """

    kind: Kind
    features: tuple[Feature, ...]
    grids: tuple[NDArray[Any], ...]
    values: Array
    low: Array
    high: Array
    curves: Array | None
    cases: tuple[NDArray[Any], ...]
    counts: NDArray[np.int64] | None
    classes: tuple[str, ...]
    unit: str
    centred: bool
    confidence: float
    seed: int
    notes: tuple[str, ...]
    classifier_digest: str

    @property
    def label(self) -> str:
        """What an axis of the values shows: ``"effect on the log-odds of bad"``."""
        if self.kind == "ale":
            return f"{'effect' if len(self.features) == 1 else 'joint effect'} on the {self.unit}"
        return f"change of the {self.unit}" if self.centred else self.unit

    def to_frame(self) -> pd.DataFrame:
        """One line for each point and class: the features' values, (class), (value), (low), (high)."""
        points = list(product(*self.grids, self.classes))
        frame = pd.DataFrame(points, columns=[*(feature.name for feature in self.features), "(class)"])
        # In brackets, since a feature may be called "value".
        measured = {"(value)": self.values, "(low)": self.low, "(high)": self.high}
        return pd.concat([frame, pd.DataFrame({name: numbers.reshape(-1) for name, numbers in measured.items()})], axis=1)

    def plot(self, ax: Axes | None = None, *, target: str | None = None) -> Axes:
        """Draw lines over a number, bars over categories, or a field of colour over a pair.

        Args:
            ax: Where to draw; a new figure where there is none.
            target: The class to draw, where there are several and a picture shows one.
        """
        from explain.figures.behaviour.dependence import draw_dependence

        return draw_dependence(self, target=target, ax=ax)

    def __repr__(self) -> str:
        names = " x ".join(feature.name for feature in self.features)
        return f"Dependence({NAMES[self.kind]} of the {self.unit} on {names}, {len(self.cases[0])} rows)"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        return table_html(f"{NAMES[self.kind].capitalize()}: {self.label}, over {len(self.cases[0])} rows", self.to_frame(), self.notes)


def dependence(
    classifier: Classifier,
    dataset: Dataset,
    feature: str | Sequence[str],
    kind: Kind = "ale",
    *,
    target: int | str | None = None,
    output: str = "auto",
    points: int | None = None,
    centred: bool = False,
    rows: int = 5000,
    resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> Dependence:
    """Measure how the output follows one feature, or what two do together.

    The intervals are of a bootstrap over rows, at each point by itself: they cover which rows there happen to be, and neither the
    choice of the grid nor the training of the classifier.

    Args:
        classifier: One of a table, black boxes included.
        dataset: The rows; their labels are not used.
        feature: A feature's name, or two.
        kind: ``"ale"`` adds up small steps between values that the rows near by have; ``"pdp"`` is the mean output where all
            rows have one value; ``"ice"`` is that of each row, with their mean.
        target: A class, as index or name; by default the event of two, or each of more.
        output: ``"log_odds"`` (two classes), ``"logit"`` or ``"probability"``; ``"auto"`` as in :func:`explain.attribute`.
        points: Values of a number at most, at quantiles of the rows; by default 30, and 10 for each of a pair.
        centred: Of ``"pdp"`` and ``"ice"``, whether to show the change since the first value.
        rows: How many rows are used at most, drawn by the seed.
        resamples: How many resamples the intervals are of.
        confidence: Their coverage.
        seed: Decides what is sampled.

    Raises:
        ConfigurationError: If an option, a feature or a class does not exist, or the data are not the classifier's.
        DataError: If the rows are not finite.
        NotApplicableError: If the inputs are no table, a feature has one value in all rows, or the kind does not hold for it.
    """
    names = (feature,) if isinstance(feature, str) else tuple(feature)
    _require(names, kind, points, centred, resamples, confidence)
    require_table(classifier, "dependence", "explain.attribute tells the parts of single inputs")
    stream = Seed(seed, ("dependence", kind, *names))
    cases = draw_cases(classifier, dataset, rows, stream)
    x = cases.inputs.to(classifier.device)
    answers = Answers.of(classifier, output, target)
    sides = [side_of(cases, name, points or (_POINTS if len(names) == 1 else _SIDE)) for name in names]
    curves, counts, notes = None, None, _notes(cases, names, kind, len(dataset))
    statistic: AccumulatedEffects | AccumulatedInteraction | PartialDependence
    if kind == "ale":
        if len(sides) == 1 and sides[0].feature.kind == "categorical":
            sides = [sides[0].reordered(similar_order(sides[0], cases))]
            notes.append("categories are in an order in which neighbours have rows that are alike otherwise")
        statistic = AccumulatedEffects(answers, x, sides[0]) if len(sides) == 1 else AccumulatedInteraction(answers, x, _numbers(sides))
        counts = statistic.counts
        notes += _few(counts, sides)
    else:
        every = conditional_curves(answers, x, sides)
        curves = (every - every[:, :1] if centred else every) if len(sides) == 1 else every
        statistic = PartialDependence(curves)
    values = statistic(np.ones((1, len(x))))[0]
    replicates = statistic(resample_weights(len(x), resamples, stream))
    low, high = np.quantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return Dependence(
        kind=kind, features=tuple(side.feature for side in sides), grids=tuple(side.grid for side in sides), values=values, low=low,
        high=high, curves=curves if kind == "ice" else None, cases=tuple(side.cases for side in sides), counts=counts,
        classes=answers.classes, unit=answers.unit, centred=centred, confidence=confidence, seed=seed, notes=tuple(notes),
        classifier_digest=classifier.digest,
    )  # fmt: skip


def _numbers(sides: list[Side]) -> list[Side]:
    for side in sides:
        if side.listed:
            raise NotApplicableError(
                f"accumulated effects of a pair need two numbers, and {side.feature.name!r} has words for values", remedy='take kind="pdp"'
            )
    return sides


def _notes(cases: Dataset, names: tuple[str, ...], kind: str, given: int) -> list[str]:
    notes = [f"{len(cases)} of {given} rows, drawn by the seed"] if len(cases) < given else []
    strong = [pair for pair in associations(cases) if {pair.first, pair.second} & set(names)]
    if strong and kind != "ale":
        pairs = ", ".join(map(str, strong[:3]))
        notes.append(f'strongly correlated: {pairs}; the classifier is asked about rows unlike any in the data, which kind="ale" avoids')
    related = [name for name in names if any(name in relation.weights for relation in cases.schema.relations)]
    if related:
        notes.append(f"{' and '.join(related)} has a relation to other features, which rows with another value may break")
    return notes


def _few(counts: NDArray[np.int64], sides: list[Side]) -> list[str]:
    few = int((counts < _FEW).sum())
    if not few:
        return []
    what = "steps" if len(sides) == 1 else "cells"
    empty = f", {int((counts == 0).sum())} of them over none, which take that of the nearest" if (counts == 0).any() else ""
    return [f"{few} of {counts.size} {what} are taken over fewer than {_FEW} rows{empty}"]


def _require(names: tuple[str, ...], kind: str, points: int | None, centred: bool, resamples: int, confidence: float) -> None:
    if kind not in get_args(Kind):
        raise ConfigurationError(f"there is no kind of dependence {kind!r}", remedy=did_you_mean(kind, get_args(Kind)))
    if len(names) not in (1, 2) or len(set(names)) < len(names):
        raise ConfigurationError(f"feature must be one name or two different ones, got {names}")
    if kind == "ice" and len(names) == 2:
        raise NotApplicableError("a curve for each row is of one feature", remedy='for two take kind="ale" or kind="pdp"')
    if centred and (kind == "ale" or len(names) == 2):
        raise ConfigurationError("centred is for pdp and ice of one feature; accumulated effects have mean 0 already")
    if points is not None and points < 2:
        raise ConfigurationError(f"points must be at least 2, got {points}")
    if resamples < 20:
        raise ConfigurationError(f"resamples must be at least 20, got {resamples}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"confidence must lie between 0 and 1, got {confidence}")
