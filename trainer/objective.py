"""Objective: cross-entropy summed over rows, so that a batch may be cut into pieces and among processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """Weighted cross-entropy with label smoothing (Szegedy et al., 2016, arXiv:1512.00567).

    Args:
        weights: Weight of each class ``(K,)``; ``None`` counts them alike.
        label_smoothing: Share of each label that is spread evenly over all classes.
    """

    weights: Tensor | None = None
    label_smoothing: float = 0.0

    def at(self, progress: float) -> Objective:
        """The objective when a share `progress` of all steps, from 0 to 1, is done."""
        return self

    def held_out(self) -> Objective:
        """What the validation rows are judged by: without smoothing."""
        return Objective(self.weights)

    def total(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """The summed loss of rows ``(N, *S)`` with labels ``(N,)``."""
        return cross_entropy(network(x), y, self.weights, reduction="sum", label_smoothing=self.label_smoothing)

    def size(self, y: Tensor) -> Tensor | int:
        """What the summed loss of rows with labels ``(N,)`` is divided by: their weights."""
        return len(y) if self.weights is None else self.weights[y].sum()


def class_weights(choice: str, labels: Tensor, classes: int) -> Tensor | None:
    """Inverse frequencies with mean 1 over the rows ``(K,)``, or ``None`` where classes count alike.

    Args:
        choice: ``"balanced"``, ``"none"``, or ``"auto"``: balanced where the rarest class has under 80 % of an even share.
        labels: Class of each row ``(N,)``.
        classes: How many there are.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    even = len(labels) / classes
    if choice == "none" or (choice == "auto" and counts.min() >= 0.8 * even):
        return None
    return even / counts
