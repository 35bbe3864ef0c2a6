"""Attributing: the one call that explains a batch of inputs."""

from __future__ import annotations

import time
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, NotApplicableError, did_you_mean
from classifier.seeds import Seed
from explain.availability import require_applicable, usable_methods
from explain.explanation import Explanation
from explain.games.coalitions import coalition_values, most_players
from explain.inputs import checked_batch, resolve_baseline
from explain.method import METHODS, Method, Scores, Task
from explain.output import Output, Target, resolve_target


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
    reference = resolve_baseline(classifier, baseline).to(x)
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
    return Explanation(
        attributions=scores.attributions.to("cpu", torch.float64),
        target=task.target.cpu(),
        inputs=x.cpu(),
        baseline=reference.cpu() if baseline is not None and baseline.dim() == x.dim() else reference[0].cpu(),
        base_value=(_base_value(task, engine) if scores.base_value is None else scores.base_value).to("cpu", torch.float64),
        value=(task.output(x, task.target) if scores.value is None else scores.value).to("cpu", torch.float64),
        predictions=classifier.probabilities(x).cpu(),
        method=name,
        options=asdict(engine),
        output=task.output.kind,
        exact=scores.exact,
        standard_error=None if scores.standard_error is None else scores.standard_error.to("cpu", torch.float64),
        element_error=None if scores.element_error is None else scores.element_error.to("cpu", torch.float64),
        seed=seed,
        seconds=time.perf_counter() - started,
        notes=scores.notes,
        schema=classifier.schema,
        classes=classifier.classes,
        classifier_digest=classifier.digest,
    )


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
    kind = METHODS[name]
    if chosen and options:
        raise ConfigurationError(f"options need a named method, got {', '.join(options)} with 'auto'", remedy=f"here, auto is {name!r}")
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            raise ConfigurationError(f"{name} has no option {option!r}", remedy=did_you_mean(option, known))
    return kind(**options)


def _require_finite(scores: Scores, name: str) -> None:
    wrong = ~scores.attributions.isfinite()
    if wrong.any():
        raise ModelError(
            f"{name} gives {int(wrong.sum())} attributions that are not finite; the classifier's gradients are not",
            remedy="kernel_shap, permutation_shap and feature_ablation need none",
        )
