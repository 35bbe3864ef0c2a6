"""What exact answers and smoothing must give where the truth is known."""

from __future__ import annotations

import torch
from torch import nn

from audit.robustness.attacking import attack
from audit.robustness.attacks.pgd import PGD
from audit.robustness.certificates.exact import exact_robust
from audit.robustness.certificates.exact_bounds import neuron_bounds
from audit.robustness.certificates.exact_network import DenseNetwork
from audit.robustness.certificates.exact_region import LawfulRegion
from audit.robustness.certificates.smoothing import smooth
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

# So that bounds, the exact answer and the attack differ on some rows.
_EPS, _ROWS = 0.05, 20
# A radius may be too large by chance; here that must not happen for any seed.
_ALPHA, _SIGMA = 1e-8, 1.0


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """Bounds, exact answer and attack on a 30-16-2 network; and smoothing of a linear classifier against its margins."""
    return [*_between(seed.child("exact")), *_smoothed(seed.child("smoothing"))]


def _between(seed: Seed) -> list[KnownAnswer]:
    generator = seed.torch()
    first, second = nn.Linear(30, 16), nn.Linear(16, 2)
    for layer in (first, second):
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator)
        layer.bias.data.zero_()
    features = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(30))
    x = torch.rand(_ROWS, 30, generator=generator)
    # Both classes about as often, so that rows lie at all distances from the boundary.
    second.bias.data = -second(first(x).relu()).detach().mean(0)
    classifier = Classifier.wrap(nn.Sequential(first, nn.ReLU(), second), schema=Schema("tabular", features), classes=("a", "b"))
    y = classifier.predict(x)
    exact = exact_robust(classifier, x, y, eps=_EPS)
    region = LawfulRegion.around(classifier, x, eps=_EPS, norm="Linf", constrained=False)
    bounded = neuron_bounds(DenseNetwork.of(classifier), region, y).margins.amin(1) > 0
    attacked = attack(classifier, x, y, eps=_EPS, constrained=False, suite=(PGD(),), seed=seed.value).robust
    crossed = (bounded & exact.decided & ~exact.robust) | (exact.robust & ~attacked)
    unshown = (classifier.predict(exact.adversarial) == y) & ~exact.robust & exact.decided
    return [
        KnownAnswer(
            "robustness.exact_order", "no row is bounded and falls, or is exactly robust and falls", 0.0, float(crossed.sum()), 0.0
        ),
        KnownAnswer("robustness.exact_decided", "every row of a small network is decided", 1.0, exact.decided.double().mean().item(), 0.0),
        KnownAnswer("robustness.exact_shown", "every row that falls is shown falling", 0.0, float(unshown.sum()), 0.0),
    ]


def _smoothed(seed: Seed) -> list[KnownAnswer]:
    """The majority under noise of a linear classifier is the classifier, and its radius the distance to the boundary."""
    generator = seed.torch()
    layer = nn.Linear(8, 2)
    layer.weight.data = torch.randn(2, 8, generator=generator)
    layer.bias.data.zero_()
    features = tuple(Feature(f"x{i}", "continuous", scale=1.0) for i in range(8))
    classifier = Classifier.wrap(layer, schema=Schema("tabular", features, encoding="natural"), classes=("a", "b"))
    x = torch.randn(20, 8, generator=generator)
    z = classifier.logits(x)
    margins = ((z[:, 1] - z[:, 0]).abs() / (layer.weight[1] - layer.weight[0]).norm()).detach().double()
    smoothed = smooth(classifier, x, z.argmax(1), sigma=_SIGMA, alpha=_ALPHA, seed=seed.value)
    # So many draws tell distances of about this many deviations apart.
    near = (margins > _SIGMA / 2) & (margins < 2 * _SIGMA)
    ratio = (smoothed.radius / margins)[near]
    return [
        KnownAnswer("robustness.smoothing_below", "no radius exceeds a linear margin", 0.0, float((ratio > 1).sum()), 0.0),
        KnownAnswer("robustness.smoothing_near", "radii come near to linear margins", 1.0, ratio.mean().item(), 0.15),
    ]
