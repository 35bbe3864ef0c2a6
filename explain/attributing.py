"""Attributing: the one call that explains a batch of inputs."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.options import configured
from classifier.seeds import Seed
from explain.availability import require_applicable, usable_methods
from explain.explanation import Explanation
from explain.games.coalitions import coalition_values, most_players
from explain.inputs import checked_batch, resolve_baseline
from explain.method import METHODS, Method, Scores, Task
from explain.output import Output, Target, resolve_target

# What rounding leaves of an exact sum, and what is worth a note, as shares of the output and of the sum.
_INEXACT, _MISSED = 1e-3, 0.05


def attribute(
    classifier: Classifier,
    inputs: Tensor,
    method: str = "auto",
    *,
    target: Target = None,
    baseline: Tensor | None = None,
    output: str = "auto",
    seed: int = 0,
    **options: Any,
) -> Explanation:
    """Explain the output of each input by its parts.

    Args:
        classifier: What is explained.
        inputs: Encoded inputs ``(N, *S)``.
        method: A method's id, or ``"auto"``: exact Shapley values, from the terms of an additive network or where
            rows x background x 2^players is at most 2^24; else integrated gradients, or permutations for a
            black box; kernel SHAP where `baseline` is a background.
        target: The class to explain, as index or name, or an index for each input. By default, of two
            classes the event for every input, of more the predicted class of each.
        baseline: What the inputs are compared with: one input ``(*S)``, one for each ``(N, *S)`` for a
            method that follows gradients, or a background ``(B, *S)`` for one that estimates Shapley values.
            By default the mean training row on the classifier's card, else the middle of the bounds.
        output: ``"log_odds"`` (two classes), ``"logit"`` or ``"probability"``; ``"auto"`` is log-odds for two
            classes and the logit for more.
        seed: Decides what is sampled.
        **options: Options of the method, by name.

    Raises:
        ConfigurationError: If a method, an option, a class or an output does not exist, or a shape does not fit.
        NotApplicableError: If the method does not hold for this classifier; the message names those that do.
        DataError: If inputs or baseline are not finite.
        ModelError: If the classifier answers with values that are not finite.
    """
    x = checked_batch(classifier, inputs)
    reference, notes = resolve_baseline(classifier, baseline)
    reference = reference.to(x)
    what = Output.of(classifier, output)
    started = time.perf_counter()
    task = Task(what, x, resolve_target(classifier, x, target), reference)
    names: tuple[str, ...] = (method,)
    if method == "auto":
        names = usable_methods(what, rows=len(x), background=len(reference), players=most_players(task))
    for number, name in enumerate(names, start=1):
        engine = _configured(name, options, chosen=method == "auto")
        try:
            scores = _scores(engine, name, task, seed)
            break
        except NotApplicableError:
            # What forward code does beside its layers may show only once it runs; another method need not mind.
            if method != "auto" or number == len(names):
                raise
    return _noted(
        Explanation(
            attributions=scores.attributions.to("cpu", torch.float64),
            target=task.target.cpu(),
            # Copies: a caller may write over the tensors that it gave.
            inputs=x.cpu().clone(),
            baseline=(reference if baseline is not None and baseline.dim() == x.dim() else reference[0]).cpu().clone(),
            base_value=(_base_value(task, engine) if scores.base_value is None else scores.base_value).to("cpu", torch.float64),
            value=(task.output(x, task.target) if scores.value is None else scores.value).to("cpu", torch.float64),
            predictions=classifier.probabilities(x).cpu(),
            method=name,
            options=asdict(engine),
            output=task.output.kind,
            exact=scores.exact,
            standard_error=None if scores.standard_error is None else scores.standard_error.to("cpu", torch.float64),
            element_error=None if scores.element_error is None else scores.element_error.to("cpu", torch.float64),
            seed=int(seed),
            seconds=time.perf_counter() - started,
            notes=(*notes, *scores.notes),
            schema=classifier.schema,
            classes=classifier.classes,
            classifier_digest=classifier.digest,
        )
    )


def _noted(explanation: Explanation) -> Explanation:
    """The same with a note where contributions miss their sum by much.

    Raises:
        ModelError: If they were to be exact: the classifier then answers otherwise from call to call.
    """
    if explanation.quantity != "contribution":
        return explanation
    gaps, sums = explanation.completeness_error, (explanation.value - explanation.base_value).abs()
    size = 1 + explanation.value.abs().max()
    if explanation.exact and gaps.max() > _INEXACT * size:
        raise ModelError(
            f"{explanation.method} is exact, and yet its contributions miss their sum by {float(gaps.max()):.2g}",
            remedy="the classifier must answer an input the same every time; look for what it draws at random or remembers",
        )
    wide = gaps > _MISSED * sums.clamp_min(_INEXACT * size)
    if not wide.any():
        return explanation
    note = (
        f"the contributions of {int(wide.sum())} of {len(explanation)} rows miss their sum by more than {_MISSED:.0%}, at most by "
        f"{float(gaps.max()):.2g}; more steps or samples, or kernel_shap, miss less"
    )
    return replace(explanation, notes=(*explanation.notes, note))


def _scores(engine: Method, name: str, task: Task, seed: int) -> Scores:
    rows, background = len(task.x), len(task.baseline)
    if not engine.takes_background and background not in (1, rows):
        raise ConfigurationError(
            f"{name} takes one baseline, or one for each of the {rows} inputs, got {background}", remedy="for a background take kernel_shap"
        )
    compared = background if engine.takes_background else 1
    require_applicable(name, engine, task.output, rows=rows, background=compared, players=most_players(task))
    scores = engine(task, Seed(seed, ("explain", name)))
    _require_finite(scores, name)
    return scores


def _base_value(task: Task, method: Method) -> Tensor:
    """The output at the baseline, or its mean over the background ``(N,)``."""
    if method.takes_background:
        return coalition_values(task, torch.zeros(1, len(task.modality.players), dtype=torch.bool))[:, 0]
    if len(task.baseline) > 1 or not task.modality.continuous or (task.target != task.target[0]).any():
        return task.output(task.reference, task.target)
    return task.output(task.baseline, task.target[:1]).expand(len(task.x))


def _configured(name: str, options: dict[str, Any], *, chosen: bool) -> Method:
    if chosen and options:
        raise ConfigurationError(f"options need a named method, got {', '.join(options)} with 'auto'", remedy=f"here, auto is {name!r}")
    return configured(METHODS[name], options, name=name)


def _require_finite(scores: Scores, name: str) -> None:
    wrong = ~scores.attributions.isfinite()
    if wrong.any():
        raise ModelError(
            f"{name} gives {int(wrong.sum())} attributions that are not finite; the classifier's gradients are not",
            remedy="kernel_shap, permutation_shap and feature_ablation need none",
        )
