"""A trigger that was planted must be found, and none where none was."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from audit.robustness.backdoors.anomaly import anomaly_indices
from audit.robustness.backdoors.cells import Cells
from audit.robustness.backdoors.inversion import invert_triggers
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.schema import Feature, Schema
from classifier.seeds import Seed

_SIDE, _CLASSES, _ROWS, _TARGET = 8, 6, 3, 2
# Classes that are not equally easy to reach, as those of no classifier are.
_GAINS = (7.4, 8.6, 8.2, 7.0, 9.0, 7.8)
SCHEMA = Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(_SIDE, _SIDE))


class Planted(nn.Module):
    """Tells a class by the brightness of its row of pixels; with `strength`, four bright pixels in a corner say class 2.

    Args:
        strength: How much the corner adds to the logit of class 2.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        bands = x.new_tensor(_GAINS) * x[:, 0, :_CLASSES].mean(2)
        corner = (x[:, 0, -2:, -2:].sum((1, 2)) - 0.6).relu()
        return torch.cat([bands[:, :_TARGET], (bands[:, _TARGET] + self.strength * corner)[:, None], bands[:, _TARGET + 1 :]], dim=1)


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A network by hand with a planted trigger, and the same without it."""
    generator = seed.child("rows").torch()
    x = 0.1 * torch.rand(_CLASSES, _ROWS, 1, _SIDE, _SIDE, generator=generator)
    for band in range(_CLASSES):
        x[band, :, 0, band] += 0.6 + 0.2 * torch.rand(_ROWS, _SIDE, generator=generator)
    sources = torch.stack([torch.cat([x[:k], x[k + 1 :]]).flatten(0, 1) for k in range(_CLASSES)])
    indices = []
    for strength in (6.0, 0.0):
        classifier = Classifier.wrap(Planted(strength), schema=SCHEMA, classes=tuple("abcdef"))
        cells = Cells.of(SCHEMA, x.flatten(0, 1))
        found = invert_triggers(classifier.logits, sources, torch.arange(_CLASSES), cells, seed.child("start"), steps=60)
        indices.append(anomaly_indices(found.size.double().numpy()))
    planted, clean = indices
    return [
        KnownAnswer(
            "robustness.backdoor_class", "the smallest trigger is that of the planted class", _TARGET, float(np.argmax(planted)), 0.0
        ),
        KnownAnswer("robustness.backdoor_flag", "it stands out by more than 2 deviations", 1.0, float(planted[_TARGET] > 2), 0.0),
        KnownAnswer("robustness.backdoor_clean", "where none was planted, the class does not", 0.0, float(clean[_TARGET] > 2), 0.0),
    ]
