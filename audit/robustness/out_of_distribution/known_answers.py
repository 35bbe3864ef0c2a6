"""What the scores must give where the truth is known."""

from __future__ import annotations

from math import exp

import numpy as np
import torch

from audit.robustness.out_of_distribution.detection import measure_detection
from audit.robustness.out_of_distribution.mahalanobis import Mahalanobis
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

_ROWS, _SHIFT = 4000, 2.0


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """Gaussian rows against others of the same and of a shifted distribution, in two dimensions.

    The squared distance of a known row is exponential, that of a row shifted by d a non-central chi-squared variable, so that
    the AUROC is 1 - exp(-d^2 / 4) / 2.
    """
    generator = seed.child("gaussian").torch()
    learned, known, same, other = torch.randn(4, _ROWS, 2, generator=generator, dtype=torch.float64)
    other = other + torch.tensor([_SHIFT, 0.0], dtype=torch.float64)
    stretch = torch.tensor([[2.0, 1.0], [0.0, 0.5]], dtype=torch.float64)
    fitted = Mahalanobis.fit(learned @ stretch, torch.zeros(_ROWS, dtype=torch.int64))
    scores = [-fitted.distance(rows @ stretch).numpy() for rows in (known, same, other)]
    alike, apart = (measure_detection(scores[0], outside) for outside in scores[1:])
    kept = float(np.mean(scores[0] >= alike.threshold))
    return [
        KnownAnswer("robustness.ood_same", "rows of the same distribution are not told apart", 0.5, alike.auroc.value or 0.0, 0.03),
        KnownAnswer(
            "robustness.ood_gaussian", "the Mahalanobis distance tells a shifted Gaussian apart as its closed form says",
            1 - exp(-(_SHIFT**2) / 4) / 2, apart.auroc.value or 0.0, 0.02,
        ),
        KnownAnswer("robustness.ood_kept", "the threshold keeps 95 % of the known rows", 0.95, kept, 1 / _ROWS),
    ]  # fmt: skip
