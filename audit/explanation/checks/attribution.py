"""What weighs in its decisions: two methods, whether their sums are right, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.explanation.by_word import importance_by_word
from audit.subject import Need, Subject
from classifier.metric import Metric
from classifier.modalities.image import Image
from classifier.modality import modality_of
from classifier.seeds import Seed
from classifier.statistics import Array, bootstrap, mean
from explain import Explanation, attribute, available

# What the first explanation is made with, in this order where it is exact; the second is by integrated gradients.
EXACT, ESTIMATES, SECOND = ("additive_terms", "exact_shapley"), ("kernel_shap", "permutation_shap"), "integrated_gradients"


@register
@dataclass(frozen=True, kw_only=True)
class Attribution(Check):
    """Shapley values and, where there are gradients, integrated gradients of the test rows, summed to features.

    Args:
        limit: Rows explained at most, a random sample of the test rows.
        background: Training rows that the Shapley values compare with.
        samples: Coalitions of the Shapley values.
        steps: Points of the integrated gradients.
        shown: Features in the pictures.
    """

    limit: int = 500
    background: int = 50
    samples: int = 512
    steps: int = 32
    shown: int = 10
    metrics: ClassVar = ("explanation.completeness_error", "explanation.importance", "explanation.agreement")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"limit": 100, "samples": 256}, "thorough": {"limit": 5000, "background": 200, "samples": 2048}}

    def forward_rows(self, rows: int) -> int:
        return min(rows, self.limit) * self.background * self.samples

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        chosen = torch.randperm(len(subject.test), generator=seed.child("rows").torch())[: self.limit].sort().values
        x = subject.test.inputs[chosen]
        explanations = self._explain(subject, x, seed)
        first = next(iter(explanations.values()))
        values = {name: explanation.by_feature().double().numpy() for name, explanation in explanations.items()}
        metrics = [_completeness(name, explanation) for name, explanation in explanations.items()]
        modality = modality_of(subject.test.schema)
        names = modality.players
        words: tuple[Table, ...] = ()
        if modality.aligned:
            importance = _importance(names, values[first.method], seed.child("importance"))
        else:
            importance, words = importance_by_word(
                modality.words(x), values[first.method], modality.present(x).numpy(), seed.child("importance")
            )
        metrics += [metric.measured_on(method=first.method) for metric in importance]
        if SECOND in values:
            metrics.append(_agreement(values[first.method], values[SECOND], seed.child("agreement")))
        example = _typical_unfavourable(subject, first, subject.test.labels[chosen].numpy())
        draw = _heatmap if isinstance(modality, Image) else _waterfall
        shown = self.shown if isinstance(modality, Image) or not modality.aligned else len(names)
        told = [metric for metric in importance if metric.value is not None]
        return Evidence(
            check=self.id,
            metrics=tuple(metrics),
            tables=(*words, *_reasons(subject, explanations, chosen, example, shown)),
            figures=(
                *((_importance_figure(told, first, self.shown, modality.aligned),) if told else ()),
                draw(subject, first, int(chosen[example]), example, self.shown),
            ),
            parameters={**self.options(), "rows": len(x), "methods": list(explanations), "output": first.output},
            seed=seed.value,
            notes=("explanation.about_the_model",),
            arrays={"ids": subject.test.ids[chosen.numpy()], **values},
        )

    def _explain(self, subject: Subject, x: torch.Tensor, seed: Seed) -> dict[str, Explanation]:
        """The Shapley values first: they are what the pictures show."""
        model, background = subject.model, subject.background(self.background, seed.child("background").integer())
        usable = {entry.method for entry in available(model, rows=len(x), background=len(background)) if entry.applies}
        exact = next((name for name in EXACT if name in usable), None)
        if exact is not None:
            shapley = attribute(model, x, exact, baseline=background, seed=seed.value)
        elif model.differentiable:
            shapley = attribute(model, x, ESTIMATES[0], baseline=background, seed=seed.value, samples=self.samples)
        else:
            shapley = attribute(model, x, ESTIMATES[1], baseline=background, seed=seed.value)
        explanations = {shapley.method: shapley}
        if model.differentiable:
            centre = modality_of(model.schema).typical(background)
            explanations[SECOND] = attribute(model, x, SECOND, baseline=centre, seed=seed.value, steps=self.steps)
        return explanations


def _completeness(method: str, explanation: Explanation) -> Metric:
    """The largest error of the sum, as a share of the typical distance that the sum should bridge."""
    distance = (explanation.value - explanation.base_value).abs().mean().clamp_min(1e-6)
    worst = (explanation.completeness_error.max() / distance).item()
    return Metric.counted("explanation.completeness_error", worst, len(explanation.value), better="lower", where={"method": method})


def _importance(names: tuple[str, ...], values: Array, seed: Seed) -> list[Metric]:
    size = np.abs(values)
    means = [mean("explanation.importance", size[:, i], seed.child(name), better="neither") for i, name in enumerate(names)]
    return [metric.measured_on(feature=name) for metric, name in zip(means, names, strict=True)]


def _agreement(first: Array, second: Array, seed: Seed) -> Metric:
    """Mean rank correlation, row by row, between the sizes that two methods give the features."""
    ranks = [stats.rankdata(np.abs(values), axis=1) for values in (first, second)]
    centred = [rank - rank.mean(1, keepdims=True) for rank in ranks]
    scale = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    both = scale > 0
    if not both.any():
        return Metric.missing("explanation.agreement", "every attribution is the same", n=len(first))
    correlation = (centred[0] * centred[1]).sum(1)[both] / scale[both]
    return bootstrap("explanation.agreement", lambda weights: weights @ correlation / weights.sum(1), len(correlation), seed)


def _typical_unfavourable(subject: Subject, explanation: Explanation, labels: NDArray[np.int64]) -> int:
    """The row whose decision is against the person concerned and whose probability is the middle of those.

    Where no class is favourable, a wrong decision is against everybody; where there is none of either, all rows count.
    """
    probabilities = explanation.predictions.double().numpy()
    presumed = subject.presumed(probabilities)
    favourable = subject.test.favourable
    against: NDArray[np.int64] = np.arange(len(presumed))
    unwanted = presumed != (labels if favourable is None else subject.test.classes.index(favourable))
    if unwanted.any():
        against = np.flatnonzero(unwanted)
    order = against[np.argsort(probabilities[against, presumed[against]], kind="stable")]
    return int(order[len(order) // 2])


def _importance_figure(importance: list[Metric], explanation: Explanation, shown: int, aligned: bool) -> Figure:
    largest = sorted(importance, key=lambda metric: -(metric.value or 0.0))[:shown]
    series = Series(
        "importance",
        x=tuple(float(i) for i in range(len(largest))),
        y=tuple(metric.value or 0.0 for metric in largest),
        low=tuple(metric.low or 0.0 for metric in largest),
        high=tuple(metric.high or 0.0 for metric in largest),
    )
    words: dict[str, str | int | float] = {"method": explanation.method, "n": len(explanation.value), "output": explanation.output}
    labels = tuple(str(metric.where["feature"]) for metric in largest)
    return Figure("importance" if aligned else "words", "intervals", (series,), labels=labels, words=words)


def _waterfall(subject: Subject, explanation: Explanation, row: int, index: int, shown: int) -> Figure:
    contributions = explanation.by_feature()[index].double().numpy()
    modality = modality_of(subject.test.schema)
    words = modality.words(explanation.inputs[index : index + 1])[0]
    order = np.argsort(-np.abs(contributions), kind="stable")
    largest, rest = order[: shown - 1], order[shown - 1 :]
    names = list(words)
    labels = [f"{names[i]} = {words[names[i]]}" for i in largest]
    sizes = [float(contributions[i]) for i in largest]
    if len(rest):
        labels.append(f"+ {len(rest)}")
        sizes.append(float(contributions[rest].sum()))
    target = subject.test.classes[int(explanation.target[index])]
    base, value = float(explanation.base_value[index]), float(explanation.value[index])
    series = Series("contributions", x=tuple(float(i) for i in range(len(sizes))), y=tuple(sizes))
    facts: dict[str, str | int | float] = {
        "row": int(subject.test.ids[row]), "base": base, "value": value, "target": target, "output": explanation.output,
        "method": explanation.method,
    }  # fmt: skip
    return Figure("decision" if modality.aligned else "parts", "waterfall", (series,), labels=tuple(labels), words=facts, single=True)


def _heatmap(subject: Subject, explanation: Explanation, row: int, index: int, shown: int) -> Figure:
    """The image with the contribution of every patch."""
    modality = modality_of(subject.test.schema)
    assert isinstance(modality, Image)  # who calls it has looked
    contributions = explanation.by_feature()[index].tolist()
    (picture,) = modality.picture(explanation.inputs[index : index + 1])
    height, width, channels = picture.shape
    facts: dict[str, str | int | float] = {
        "row": int(subject.test.ids[row]), "target": subject.test.classes[int(explanation.target[index])],
        "truth": subject.test.classes[int(subject.test.labels[row])], "output": explanation.output, "method": explanation.method,
        "height": height, "width": width, "channels": channels, "patch": modality.patch,
    }  # fmt: skip
    places = tuple(float(i) for i in range(len(contributions)))
    pixels = tuple(round(float(level), 4) for level in picture.flat)
    series = (Series("contributions", x=places, y=tuple(contributions)), Series("pixels", x=(), y=pixels))
    return Figure("image", "heatmap", series, labels=modality.players, words=facts, single=True)


def _reasons(subject: Subject, explanations: dict[str, Explanation], chosen: torch.Tensor, example: int, shown: int) -> tuple[Table, ...]:
    """The same decision by every method, feature by feature, the largest first."""
    words = modality_of(subject.test.schema).words(subject.test.inputs[chosen[example] : chosen[example] + 1])[0]
    values = [explanation.by_feature()[example].double().numpy() for explanation in explanations.values()]
    by_size = sorted(enumerate(words), key=lambda pair: -abs(values[0][pair[0]]))
    rows: list[tuple[Cell, ...]] = [(name, words[name], *(round(float(value[i]), 4) for value in values)) for i, name in by_size[:shown]]
    reasons = Table("reasons", ("feature", "value", *explanations), tuple(rows), single=True)
    if subject.test.schema.modality != "text":
        return (reasons,)
    text = str(subject.test.schema.decode(subject.test.inputs[chosen[example] : chosen[example] + 1]).iloc[0, 0])
    return Table("text", ("text",), ((text,),), single=True), reasons
