"""Feature ablation: what the output loses when one part of an input gives way to the baseline (Zeiler & Fergus, 2014, arXiv:1311.2901)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.seeds import Seed
from explain.games.coalitions import spread_over_elements
from explain.games.mixtures import outputs_of_mixtures
from explain.method import METHODS, Method, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class FeatureAblation(Method):
    """Take out each player alone: ``f(x) - f(x without i)``, with its baseline's value in its place.

    What two players do only together counts for each of them in full, and what one does as well as the other for
    neither: effects have no sum that they must reach.
    """

    quantity: ClassVar[Quantity] = "effect"

    def __call__(self, task: Task, seed: Seed) -> Scores:
        whole = task.output(task.x, task.target).double()
        without = ~torch.eye(len(task.modality.players), dtype=torch.bool)
        effects = whole[:, None] - outputs_of_mixtures(task, without)
        return Scores(spread_over_elements(task, effects), exact=True)
