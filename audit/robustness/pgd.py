"""Projected gradient ascent on the margin, inside what a row may become (Madry et al., 2018, arXiv:1706.06083).

The loss is the margin of one other class over the true one, which does not saturate as cross-entropy does
(Carlini and Wagner, 2017); each restart aims at another class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.metric import Metric
from classifier.modality import Modality, modality_of
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed
from classifier.statistics import proportion

Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Robustness:
    """What an attack left standing.

    Args:
        clean_accuracy: Share of rows that are right before anything is changed.
        robust_accuracy: Share that is right and stays so; an upper bound, since a stronger attack may find more.
        robust: Which rows are right and stay so ``(N,)``, bool.
        adversarial: For each row that fell a changed row that is wrong, else the row itself ``(N, *S)``.
        distance: How far each changed row is from its original, in units of change ``(N,)``; 0 where none was found.
        evaluations: Rows that went through the classifier, forward and backward passes counted apart.
    """

    clean_accuracy: Metric
    robust_accuracy: Metric
    robust: Tensor
    adversarial: Tensor
    distance: Tensor
    evaluations: int


def attack(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm = "Linf",
    constrained: bool = True,
    threshold: float = 0.5,
    steps: int = 40,
    restarts: int = 2,
    seed: int = 0,
) -> Robustness:
    """Look for a small change that makes the classifier wrong.

    Rows that have fallen leave the batch. With `constrained`, what counts is the valid row next to the
    iterate: whole numbers whole, one category a group, immutable features as they were, relations kept.

    Args:
        classifier: What is attacked; it must be differentiable.
        inputs: Rows ``(N, *S)``.
        labels: Their classes ``(N,)``.
        eps: Radius, as a fraction of each feature's range.
        norm: ``"Linf"`` or ``"L2"``.
        constrained: Whether the changed rows must be valid and respect what cannot be changed.
        threshold: Of two classes, the probability of the event at which it is presumed.
        steps: Gradient steps of each restart.
        restarts: How often to begin: at the row itself for each other class, the likeliest first, then at random points.
        seed: Where the random points come from.

    Raises:
        NotApplicableError: If the classifier has no gradients.
        DataError: If there are no rows, a label is no class, or the classifier's answer is not finite.
    """
    if not classifier.differentiable:
        raise NotApplicableError(f"{classifier.why_no_gradients}, and this attack needs gradients")
    if steps < 1 or restarts < 1:
        raise ConfigurationError(f"steps and restarts must be at least 1, got {steps} and {restarts}")
    if len(inputs) == 0 or len(inputs) != len(labels):
        raise DataError(f"an attack needs rows and a label for each, got {len(inputs)} rows and {len(labels)} labels")
    if labels.min() < 0 or labels.max() >= len(classifier.classes):
        raise DataError(f"labels must lie in 0 to {len(classifier.classes) - 1}, got {int(labels.min())} to {int(labels.max())}")
    x, y = inputs.to(classifier.device), labels.to(classifier.device)
    logits = _decided(classifier, threshold)
    right = _right(logits, x, y)
    modality = modality_of(classifier.schema) if constrained else None
    fallen, adversarial, evaluations = ~right, x.clone(), len(x)
    allowed = PerturbationSet.around(x, classifier.schema, eps=eps, norm=norm, constrained=constrained)
    # The other classes of each row, the likeliest first: each restart aims at one of them.
    others = logits(x).scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)[:, :-1]
    for restart in range(restarts):
        rounds, aim = divmod(restart, others.shape[1])
        # Drawn for all rows at once, so that the size of a chunk changes nothing.
        start = x if rounds == 0 else allowed.random(Seed(seed, ("pgd", str(restart))).torch())
        for rows in torch.split((~fallen).nonzero()[:, 0], chunk_size(tuple(x.shape[1:]))):
            found, changed, spent = _climb(logits, allowed[rows], y[rows], others[rows, aim], start[rows], steps, modality)
            adversarial[rows[found]] = changed[found]
            fallen[rows[found]] = True
            evaluations += spent
    robust = ~fallen
    where: dict[str, str | float | int] = {"eps": eps, "norm": norm, "rows": "valid" if constrained else "any"}
    return Robustness(
        clean_accuracy=proportion("robustness.clean_accuracy", right.cpu().numpy()),
        robust_accuracy=proportion("robustness.accuracy", robust.cpu().numpy(), bound="upper").measured_on(**where),
        robust=robust.cpu(),
        adversarial=adversarial.cpu(),
        distance=allowed.distance(adversarial).cpu(),
        evaluations=evaluations,
    )


def _climb(
    logits: Logits,
    allowed: PerturbationSet,
    y: Tensor,
    aims: Tensor,
    start: Tensor,
    steps: int,
    modality: Modality | None,
) -> tuple[Tensor, Tensor, int]:
    """One restart: which rows fell ``(n,)``, what they were changed into ``(n, *S)``, and the evaluations spent."""
    found, changed = torch.zeros_like(y, dtype=torch.bool), allowed.centre.clone()
    rows = torch.arange(len(y), device=y.device)
    x, here, spent = start, allowed, 0
    for step in range(steps + 1):
        if len(rows) == 0:
            break
        candidate = x if modality is None else modality.repair(x, here.centre).clamp(here.lower, here.upper)
        wrong = ~_right(logits, candidate, y[rows])
        if modality is not None:
            wrong &= modality.valid(candidate)
        spent += len(rows)
        found[rows[wrong]], changed[rows[wrong]] = True, candidate[wrong]
        rows, x, here = rows[~wrong], x[~wrong], here[~wrong]
        if step < steps and len(rows):
            gradient = _margin_gradient(logits, x, y[rows], aims[rows])
            spent += 2 * len(rows)
            # From a step that crosses the whole ball down to a fine one.
            x = here.step(x, gradient, 2 * allowed.eps * (1 - step / steps) ** 2 + allowed.eps / steps)
    return found, changed, spent


def _margin_gradient(logits: Logits, x: Tensor, y: Tensor, aims: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    z = logits(x)
    margin = z.gather(1, aims[:, None]) - z.gather(1, y[:, None])
    return torch.autograd.grad(margin.sum(), x)[0]


def _decided(classifier: Classifier, threshold: float) -> Logits:
    """The logits, shifted so that the larger one is what is decided."""
    if threshold == 0.5 or len(classifier.classes) > 2:
        return classifier.logits
    shift = torch.tensor([0.0, math.log((1 - threshold) / threshold)], device=classifier.device)
    return lambda x: classifier.logits(x) + shift


def _right(logits: Logits, x: Tensor, y: Tensor) -> Tensor:
    z = logits(x)
    if not z.isfinite().all():
        raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    return z.argmax(1) == y
