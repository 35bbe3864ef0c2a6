"""What the attacks of least change must find where the least change is known."""

from __future__ import annotations

from math import inf

import torch
from torch import nn

from audit.robustness.attacks.fab import FAB
from audit.robustness.attacks.fmn import FMN
from audit.robustness.attacks.hop_skip_jump import HopSkipJump
from audit.robustness.method import Attack
from audit.robustness.nearest import nearest_wrong
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.perturbation import Norm
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

_DUAL = {"Linf": 1.0, "L2": 2.0, "L1": inf}
_TRIED: tuple[tuple[Attack, Norm, float], ...] = (
    (FAB(steps=30), "Linf", 1e-3),
    (FAB(steps=30), "L2", 1e-3),
    (FAB(steps=30), "L1", 1e-3),
    (FMN(steps=100), "L2", 1e-3),
    (HopSkipJump(queries=2000), "L2", 0.05),
)


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """The mean least change of a linear classifier without bounds: margin over the dual norm of the slope."""
    generator = seed.child("nearest").torch()
    weight = torch.randn(2, 6, generator=generator)
    layer = nn.Linear(6, 2)
    layer.weight.data, layer.bias.data = weight, torch.zeros(2)
    features = tuple(Feature(f"x{index}", "continuous", scale=1.0) for index in range(6))
    classifier = Classifier.wrap(layer, schema=Schema("tabular", features, encoding="natural"), classes=("a", "b"))
    x = torch.randn(20, 6, generator=generator)
    y = classifier.predict(x)
    answers = []
    for attack, norm, tolerance in _TRIED:
        margin = (x @ weight.T).diff(dim=1)[:, 0].abs().mean()
        exact = float(margin / torch.linalg.vector_norm(weight[1] - weight[0], ord=_DUAL[norm]))
        found = float(nearest_wrong(classifier, x, y, norm=norm, attacks=(attack,), seed=seed.integer()).distance.mean())
        name, said = f"robustness.nearest_{attack.id}_{norm.lower()}", f"{attack.id} finds the least change in {norm}"
        answers.append(KnownAnswer(name, said, exact, found, tolerance * exact))
    return answers
