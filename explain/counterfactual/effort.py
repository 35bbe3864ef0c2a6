"""Effort: how a search for counterfactuals is done, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from classifier.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How a search is done.

    Args:
        fixed: Features that stay, beside those that the schema says cannot change.
        weights: What a change of a feature costs, beside others; 1 where nothing is said.
        sparsity: What each changed feature costs beside the distance, in units of change.
        diversity: How much a counterfactual that changes the same features as one before it is put back; 0 not at all.
        plausible: Share of real cases that must lie as far from the others as a counterfactual does, 0 to 1; 0 asks nothing.
        rounded: Whether continuous numbers are rounded, as far as the decision allows.
        evaluations: Predictions that a row may take.
    """

    fixed: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    sparsity: float = 0.05
    diversity: float = 1.0
    plausible: float = 0.0
    rounded: bool = True
    evaluations: int = 10_000

    def __post_init__(self) -> None:
        for name, value in (("sparsity", self.sparsity), ("diversity", self.diversity)):
            if not 0 <= value < torch.inf:
                raise ConfigurationError(f"{name} must be at least 0 and finite, got {value}")
        if not 0 <= self.plausible <= 1:
            raise ConfigurationError(f"plausible must lie in 0 to 1, got {self.plausible}")
        if self.evaluations < 1:
            raise ConfigurationError(f"evaluations must be at least 1, got {self.evaluations}")


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Args:
        z: Inputs that the rows may become, or where none flips the closest ``(M, *S)``.
        row: The row that each stands for ``(M,)``, rising.
        flips: Whether it leads to the decision that is wanted ``(M,)``.
        evaluations: Predictions that each row took ``(N,)``.
        swapped: Players that were taken from another input ``(M, P)``.
        donor: The case they were taken from ``(M,)``; -1 for none.
    """

    z: Tensor
    row: Tensor
    flips: Tensor
    evaluations: Tensor
    swapped: Tensor
    donor: Tensor

    @staticmethod
    def joined(parts: list[Outcome]) -> Outcome:
        """Those of several parts of the rows, in their order."""
        return Outcome(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(Outcome)))
