"""What bounds must be where the truth is known: exact on a linear network, and below every point of a small one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audit.robustness.certificates.margins import margin_lower_bounds
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.perturbation import PerturbationSet
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

_SIZE, _EPS = 8, 0.15


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A linear network against the closed form over ball and box, and a network with ReLU against its sampled points."""
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(_SIZE)))
    generator = seed.child("bounds").torch()
    x = torch.rand(40, _SIZE, generator=generator)
    y = torch.randint(3, (40,), generator=generator)
    linear = _classifier(nn.Linear(_SIZE, 3), schema, generator)
    network = _classifier(nn.Sequential(nn.Linear(_SIZE, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3)), schema, generator)
    off = (margin_lower_bounds(linear, x, y, eps=_EPS) - _closed_form(linear, x, y)).nan_to_num(0.0, 0.0, 0.0).abs().amax().item()
    bounds = margin_lower_bounds(network, x, y, eps=_EPS)
    allowed, below = PerturbationSet.around(x, schema, eps=_EPS, constrained=False), torch.full_like(bounds, torch.inf)
    for _ in range(60):
        corner = 2 * torch.rand(x.shape, generator=generator).round() - 1
        z = network.logits(allowed.project(x + corner * _EPS))
        below = torch.minimum(below, (z.gather(1, y[:, None]) - z).double())
    others = bounds.isfinite()
    over = (bounds > below)[others].double().mean().item()
    return [
        KnownAnswer("robustness.linear_bounds", "bounds of a linear network are its worst margins over ball and box", 0.0, off, 1e-3),
        KnownAnswer("robustness.sound_bounds", "no corner of the ball has a margin below its bound", 0.0, over, 0.0),
    ]


def _classifier(module: nn.Module, schema: Schema, generator: torch.Generator) -> Classifier:
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return Classifier.wrap(module, schema=schema, classes=("a", "b", "c"))


def _closed_form(linear: Classifier, x: Tensor, y: Tensor) -> Tensor:
    """Worst margins ``(N, K)``: each input at the end of its interval that favours the other class."""
    assert isinstance(linear.module, nn.Linear)
    weight, bias = linear.module.weight.double(), linear.module.bias.double()
    difference = weight[y][:, None] - weight
    low, high = (x.double() - _EPS).clamp(0, 1)[:, None], (x.double() + _EPS).clamp(0, 1)[:, None]
    margins = (difference * torch.where(difference > 0, low, high)).sum(2) + bias[y][:, None] - bias
    return margins.scatter(1, y[:, None], torch.inf)
