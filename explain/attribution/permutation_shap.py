"""Shapley values by sampled permutations, with SHAP's explainer (Castro et al., 2009; Lundberg & Lee, 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.coalitions import coalition_values, spread_over_elements
from explain.method import METHODS, Method, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class PermutationSHAP(Method):
    """Let the players arrive in random orders, each walked forwards and backwards, and average what they add.

    Complete to rounding, whatever the number of permutations.

    Args:
        permutations: Random orders; each costs 2 P + 1 evaluations an input and background row.
    """

    takes_background: ClassVar[bool] = True

    permutations: int = 10

    def __post_init__(self) -> None:
        if self.permutations < 2:
            raise ConfigurationError(f"permutations must be at least 2, for a standard error, got {self.permutations}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        from shap import PermutationExplainer

        players = len(modality_of(task.classifier.schema).players)

        def outputs(members: NDArray[Any]) -> NDArray[Any]:
            # A game of players, whose outputs are all inputs at once: SHAP sees one case with N outputs.
            return coalition_values(task, torch.from_numpy(members > 0.5)).T.numpy()

        everyone, nobody = np.ones((self.permutations, players)), np.zeros((1, players))
        with _global_numpy_state_kept():
            explainer = PermutationExplainer(outputs, nobody, seed=seed.integer() % 2**32)
            # Each copy of the case takes one permutation, so that the copies' spread tells the standard error.
            samples = explainer(everyone, max_evals=2 * players + 1, silent=True).values
        samples = torch.from_numpy(samples).reshape(self.permutations, players, len(task.x))
        values = samples.mean(0).T
        error = samples.std(0).T / self.permutations**0.5
        base_value = coalition_values(task, torch.zeros(1, players, dtype=torch.bool))[:, 0]
        return Scores(spread_over_elements(task, values), base_value, standard_error=error)


@contextmanager
def _global_numpy_state_kept() -> Iterator[None]:
    """SHAP seeds NumPy's global generator; a caller's own stream must not notice."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)
