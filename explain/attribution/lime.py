"""LIME: a linear model fitted to the classifier around one input (Ribeiro et al., 2016, arXiv:1602.04938)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt
from typing import ClassVar

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.games.coalitions import coalition_values, spread_over_elements
from explain.method import METHODS, Method, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class LIME(Method):
    """Fit the output by which players are there, near the input more than far from it; the coefficients are the effects.

    Coalitions are drawn once for all inputs, each player in with probability 1/2, and count
    ``exp(-d^2 / (2 kernel_width^2))``, where d is the Euclidean distance of a coalition from all players: the root
    of how many are out. With this distance the kernel is a product over the players, so that one that the
    classifier ignores gets nothing but the noise of sampling; with the cosine it would not. Where all coalitions fit into
    `samples`, all are taken, and nothing is sampled.

    Standard errors are robust to what the linear model misses (HC3; MacKinnon & White, 1985).

    Args:
        samples: Coalitions evaluated for each input and background row.
        kernel_width: How far from the input coalitions still count, in roots of players; by default
            0.75 times the root of their number, as in the authors' program.
        ridge: Weight of the penalty on squared coefficients; it shrinks all of them, and 0 shrinks none.
    """

    spelling: ClassVar[str] = "LIME"
    takes_background: ClassVar[bool] = True
    quantity: ClassVar[Quantity] = "effect"

    samples: int = 512
    kernel_width: float | None = None
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if self.samples < 4:
            raise ConfigurationError(f"samples must be at least 4, got {self.samples}")
        if self.kernel_width is not None and not self.kernel_width > 0:
            raise ConfigurationError(f"kernel_width must be greater than 0, got {self.kernel_width}")
        if not self.ridge >= 0:
            raise ConfigurationError(f"ridge must be at least 0, got {self.ridge}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        players = len(modality_of(classifier.schema).players)
        # Kish's number of coalitions that count: the share is E[w]^2 / E[w^2] of the kernel, player by player.
        out = self._weight_of_one_out(players)
        counting = self.samples * ((1 + out) ** 2 / (2 * (1 + out**2))) ** players
        if 2**players > self.samples and counting < 4 * players:
            return (
                f"{players} players need {4 * players} coalitions that count, and of samples={self.samples} with this kernel_width "
                f"{counting:.0f} do"
            )
        return super().obstacle(classifier, rows=rows, background=background, players=players)

    def __call__(self, task: Task, seed: Seed) -> Scores:
        players = len(task.modality.players)
        sampled = 2**players > self.samples
        present = self._coalitions(players, seed) if sampled else _every(players)
        weight = self._weight_of_one_out(players) ** (~present).sum(1).double()
        values = coalition_values(task, present)
        effects, error = _regress(present.double(), values, weight, self.ridge)
        base_value = coalition_values(task, torch.zeros(1, players, dtype=torch.bool))[:, 0]
        return Scores(spread_over_elements(task, effects), base_value, exact=not sampled, standard_error=error if sampled else None)

    def _weight_of_one_out(self, players: int) -> float:
        """What a coalition counts for each player that it lacks."""
        width = 0.75 * sqrt(players) if self.kernel_width is None else self.kernel_width
        return exp(-1 / (2 * width**2))

    def _coalitions(self, players: int, seed: Seed) -> Tensor:
        present = torch.rand(self.samples, players, generator=seed.child("coalitions").torch()) < 0.5
        # The input itself is among them, as in the paper.
        present[0] = True
        return present


def _every(players: int) -> Tensor:
    """All coalitions ``(2^P, P)``."""
    return (torch.arange(2**players)[:, None] >> torch.arange(players)) & 1 == 1


def _regress(z: Tensor, values: Tensor, weight: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weighted least squares with an intercept, for all inputs at once: coefficients and their standard errors ``(N, P)``.

    Args:
        z: Which players are there ``(M, P)``.
        values: Outputs ``(N, M)``.
        weight: How much each coalition counts ``(M,)``.
        ridge: Penalty on the coefficients, but not on the intercept.
    """
    share = weight / weight.sum()
    centred = z - share @ z
    rooted = centred * weight[:, None].sqrt()
    inverse = torch.linalg.inv(rooted.T @ rooted + ridge * torch.eye(z.shape[1], dtype=z.dtype))
    # Each coalition's pull on each coefficient.
    pull = centred @ inverse * weight[:, None]
    deviation = values - (values @ share)[:, None]
    coefficients = deviation @ pull
    leverage = (pull * centred).sum(1) + share
    residual = (deviation - coefficients @ centred.T) / (1 - leverage).clamp_min(1e-9)
    return coefficients, (residual.square() @ pull.square()).sqrt()
