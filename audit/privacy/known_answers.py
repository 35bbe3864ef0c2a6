"""What the membership attack must find where the truth is known."""

from __future__ import annotations

import numpy as np

from audit.privacy.loss_threshold import infer_members
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A classifier that memorised its rows is given away; one whose losses are alike is not."""
    generator = seed.child("losses").numpy()
    memorised = infer_members(generator.uniform(0, 0.01, 500), generator.exponential(1, 500) + 0.02)
    alike = infer_members(generator.exponential(1, 500), generator.exponential(1, 500))
    chance = 3 * float(np.sqrt(1001 / (12 * 500 * 500)))
    found = memorised.tpr_at[0.05].value or 0.0
    guessed = alike.auc.value or 0.0
    return [
        KnownAnswer("privacy.memoriser", "losses that members alone have give every member away", 1.0, memorised.auc.value or 0.0, 1e-9),
        KnownAnswer("privacy.memoriser_tpr", "and every member is found at 5 % false accusations", 1.0, found, 1e-9),
        KnownAnswer("privacy.chance", "losses of one distribution tell nothing, within 3 standard errors", 0.5, guessed, chance),
    ]
