"""What the corruptions must find where the truth is known."""

from __future__ import annotations

import torch
from torch import nn

from audit.robustness.corruptions.engine import answers_under_corruption, corrupt
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

# Noise of severity 4 has this standard deviation, in units of change.
_SEVERITY, _SIGMA = 4, 0.2
_ROWS, _COLUMNS = 4000, 6


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """No change at severity 0; a classifier that ignores its inputs; and noise on a linear one, in closed form."""
    generator = seed.child("corruptions").torch()
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", scale=1.0) for i in range(_COLUMNS)), encoding="natural")
    module, constant = nn.Linear(_COLUMNS, 2), nn.Linear(_COLUMNS, 2)
    module.weight.data, module.bias.data = torch.randn(2, _COLUMNS, generator=generator), torch.tensor([0.1, -0.1])
    constant.weight.data.zero_()
    x = torch.randn(_ROWS, _COLUMNS, generator=generator)
    linear, deaf = (Classifier.wrap(model, schema=schema, classes=("a", "b")) for model in (module, constant))
    y = linear.predict(x)

    still = float((corrupt(x, schema, kind="noise", severity=0, seed=seed.value) - x).abs().max())
    asked = answers_under_corruption(deaf, x[:200], y[:200], seed=seed.value)
    moved = max(abs(float(answers.right.mean()) - float(asked.clean.right.mean())) for answers in asked.corrupted.values())

    # The difference of the logits is normal: its mean that of the clean row, its deviation sigma times the length of the weights.
    difference = linear.logits(x).double()
    margin = (difference[:, 1] - difference[:, 0]).abs()
    spread = _SIGMA * float((module.weight.data[1] - module.weight.data[0]).double().norm())
    chance = torch.special.ndtr(margin / spread)
    noisy = answers_under_corruption(linear, x, y, kinds=("noise",), severities=(_SEVERITY,), seed=seed.value)
    four_errors = 4 * float((chance * (1 - chance)).sum().sqrt()) / _ROWS
    return [
        KnownAnswer("robustness.corruption_none", "a corruption of severity 0 changes nothing", 0.0, still, 0.0),
        KnownAnswer("robustness.corruption_ignored", "a classifier that ignores its inputs keeps its accuracy", 0.0, moved, 0.0),
        KnownAnswer(
            "robustness.corruption_noise",
            "noise on a linear classifier leaves the accuracy that its margins tell",
            float(chance.mean()), float(noisy.corrupted["noise", _SEVERITY].right.mean()), four_errors,
        ),
    ]  # fmt: skip
