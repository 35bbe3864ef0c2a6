"""What each part of the room must find where the truth is known."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from audit.robustness import nearest_known_answers
from audit.robustness.attacking import attack
from audit.robustness.backdoors import known_answers as backdoors
from audit.robustness.certificates import exact_known_answers
from audit.robustness.certificates import known_answers as certificates
from audit.robustness.corruptions import known_answers as corruptions
from audit.robustness.out_of_distribution import known_answers as out_of_distribution
from audit.robustness.tables import known_answers as tables
from audit.robustness.texts import known_answers as texts
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

_PARTS: dict[str, Callable[[Seed], list[KnownAnswer]]] = {
    "nearest": nearest_known_answers.measure_known_answers,
    "certificates": certificates.measure_known_answers,
    "exact": exact_known_answers.measure_known_answers,
    "tables": tables.measure_known_answers,
    "texts": texts.measure_known_answers,
    "corruptions": corruptions.measure_known_answers,
    "backdoors": backdoors.measure_known_answers,
    "out_of_distribution": out_of_distribution.measure_known_answers,
}


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
    """A linear classifier of random weights, attacked and proven, against its exact robust accuracy; and what every part knows."""
    parts = [answer for name, measure in _PARTS.items() for answer in measure(seed.child(name))]
    return [*_linear(seed), *parts]


def _linear(seed: Seed) -> list[KnownAnswer]:
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
    still = attack(classifier, x, y, eps=0.0, seed=seed.value)
    # Of a margin that is as small as rounding errors, either answer is right.
    rounded = 1 / len(x) + 1e-9
    return [
        KnownAnswer("robustness.linear", "the attacks find every weak row of a linear classifier", exact, _share(found.robust), 1e-9),
        KnownAnswer(
            "robustness.linear_proven", "all its other rows are proven, but for one at most", exact, _share(found.certified), rounded
        ),
        KnownAnswer("robustness.no_change", "no row falls where nothing may change", 1.0, _share(still.robust), 1e-9),
    ]


def _share(rows: Tensor) -> float:
    return rows.double().mean().item()
