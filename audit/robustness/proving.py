"""Proving: which classes a row can never be turned to, so that no attack is spent on them."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from audit.robustness.certificates.margins import Relaxation, margin_lower_bounds, network_of
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.perturbation import Norm

# Linear bounds of every neuron cost about a pass for each, as many as the attacks that they spare: with more neurons they do
# not pay, and intervals between the layers have to do.
_NEURONS = 10_000
# Rows that tell whether the rest is worth it, and the share of their other classes that must be proven out of reach.
_TRIED, _WORTH = 8, 0.2


def unreachable_classes(
    classifier: Classifier, x: Tensor, labels: Tensor, *, eps: float, norm: Norm, threshold: float, constrained: bool
) -> tuple[Tensor, str]:
    """Which classes each row is proven never to be decided for within eps ``(N, K)``, bool, and why nothing was tried, if so.

    Some rows are tried first. Where little can be proven of them, the others are left open, since an attack is cheaper.

    Args:
        classifier: What decides.
        x: Rows that are decided rightly ``(N, *S)``.
        labels: Their classes ``(N,)``.
        eps: Radius, as a fraction of each feature's range.
        norm: The norm that it is in.
        threshold: Of two classes, the probability of the event at which it is presumed.
        constrained: Whether immutable features stay, and directional ones move their way only.
    """
    proven = torch.zeros(len(x), len(classifier.classes), dtype=torch.bool)
    try:
        network, _ = network_of(classifier)
    except NotApplicableError as error:
        return proven, str(error)
    neurons = sum(prod(step.shape) for step in network.steps)
    method: Relaxation = "crown" if neurons <= _NEURONS else "crown_ibp"

    def bounded(rows: Tensor) -> Tensor:
        margins = margin_lower_bounds(
            classifier, x[rows], labels[rows], eps=eps, norm=norm, method=method, threshold=threshold, constrained=constrained
        )
        return (margins > 0) & margins.isfinite()

    tried = torch.arange(len(x))[:: -(-len(x) // _TRIED)]
    proven[tried] = bounded(tried)
    if proven[tried].sum() < _WORTH * len(tried) * (len(classifier.classes) - 1):
        return proven, ""
    return bounded(torch.arange(len(x))), ""
