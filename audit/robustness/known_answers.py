"""What the attacks must find where the truth is known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audit.robustness.pgd import attack
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.schema import Feature, Schema
from classifier.seeds import Seed


def linear_robust(weight: Tensor, bias: Tensor, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """Whether each row of a linear classifier withstands every change up to `eps` within [0, 1] ``(N,)``.

    The worst change moves each input to the end of its interval that favours the other class.

    Args:
        weight: ``(K, D)``.
        bias: ``(K,)``.
        x: Rows in [0, 1] ``(N, D)``.
        y: Their classes ``(N,)``.
        eps: Radius in the maximum norm.
    """
    low, high = (x - eps).clamp(0, 1), (x + eps).clamp(0, 1)
    difference = weight[y][:, None, :] - weight[None]  # (N, K, D)
    worst = torch.where(difference > 0, low[:, None], high[:, None])
    margin = (difference * worst).sum(2) + bias[y][:, None] - bias[None]
    margin.scatter_(1, y[:, None], torch.inf)
    return margin.amin(1) > 0


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A linear classifier of random weights, attacked, against its exact robust accuracy; and eps = 0."""
    generator = seed.child("linear").torch()
    features = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(12))
    module = nn.Linear(12, 3)
    module.weight.data = torch.randn(3, 12, generator=generator)
    module.bias.data = torch.zeros(3)
    classifier = Classifier.wrap(module, schema=Schema("tabular", features), classes=("a", "b", "c"))
    x = torch.rand(400, 12, generator=generator)
    y = classifier.predict(x)
    exact = linear_robust(module.weight.data, module.bias.data, x, y, 0.18).double().mean().item()
    found = attack(classifier, x, y, eps=0.18, seed=seed.value)
    still = attack(classifier, x, y, eps=0.0, steps=1, restarts=1, seed=seed.value)
    left = found.robust_accuracy.value or 0.0
    return [
        KnownAnswer("robustness.linear", "the attack finds every weak row of a linear classifier", exact, left, 1e-9),
        KnownAnswer("robustness.no_change", "no row falls where nothing may change", 1.0, still.robust_accuracy.value or 0.0, 1e-9),
    ]
