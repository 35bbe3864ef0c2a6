"""Concept activation vectors: the direction in a layer that tells examples of a concept from others (Kim et al., 2018).

The direction is that of a logistic regression with a ridge penalty. There are far more numbers in a layer than examples, so it is
found in the space that the examples span, for many sets of examples at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.errors import ModelError

# Newton steps at most, and how far the last may still move a log-odds.
_STEPS, _SETTLED = 100, 1e-6
# Numbers of a batch of sets that are in memory at once.
_ELEMENTS = 2**21


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples as points, in as many coordinates as they span.

    Args:
        points: Coordinates ``(E, R)``, float64, with a constant as the last; scaled so that a number of the layer varies by 1.
        basis: The layer's direction of each coordinate but the last ``(D, R - 1)``.
    """

    points: Tensor
    basis: Tensor

    @classmethod
    def of(cls, activations: Tensor) -> Examples:
        """The examples with these activations ``(E, D)``.

        Raises:
            ModelError: If the layer gives the same for all of them.
        """
        values = activations.double()
        centred = values - values.mean(0)
        scale = centred.square().mean().sqrt()
        if scale < 1e-12:
            raise ModelError("the layer gives the same for all examples", remedy="take another layer")
        if values.shape[1] <= len(values):
            basis = torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
        else:
            basis, _ = torch.linalg.qr(centred.T)
        # As large as a point, so that the penalty hardly holds it.
        constant = torch.full((len(values), 1), values.shape[1] ** 0.5, dtype=values.dtype, device=values.device)
        return cls(torch.cat([centred @ basis / scale, constant], 1), basis)

    def weights(self, concept: Tensor, others: Tensor) -> Tensor:
        """The weights of logistic regressions between sets of examples ``(B, R)``.

        Args:
            concept: The examples of the concept in each set, by their numbers ``(B, n)``.
            others: The examples that they are told from ``(B, m)``.
        """
        sets = torch.cat([concept, others], 1)
        label = torch.zeros(sets.shape[1], dtype=self.points.dtype, device=self.points.device)
        label[: concept.shape[1]] = 1
        gram = self.points @ self.points.T
        parts = []
        for part in torch.split(sets.to(self.points.device), max(1, _ELEMENTS // sets.shape[1] ** 2)):
            shares = _shares(gram[part[:, :, None], part[:, None]], label)
            # Each example has its share in the weights of the sets that it is in.
            whole = torch.zeros(len(part), len(self.points), dtype=gram.dtype, device=gram.device).scatter_add_(1, part, shares)
            parts.append(whole @ self.points)
        return torch.cat(parts)

    def directions(self, weights: Tensor) -> Tensor:
        """The unit vectors in the layer ``(B, D)`` that weights stand for."""
        return torch.nn.functional.normalize(weights[:, :-1] @ self.basis.T, dim=1)

    def along(self, slopes: Tensor, weights: Tensor) -> Tensor:
        """How far the output rises on a step of length 1 in each direction, where the slopes in the layer are ``(n, D)``: ``(n, B)``."""
        return slopes.double() @ self.basis @ torch.nn.functional.normalize(weights[:, :-1], dim=1).T

    def log_odds(self, weights: Tensor, examples: Tensor) -> Tensor:
        """What regressions say of examples ``(B, n)``."""
        return (self.points[examples.to(self.points.device)] @ weights[:, :, None])[..., 0]


def _shares(kernel: Tensor, label: Tensor) -> Tensor:
    """What the weights that minimise log-loss plus half of their squared length are made of ``(B, n)``.

    It is Newton's method on the log-odds of the examples, as the mode of a Gaussian process is found (Rasmussen and Williams, 2006,
    algorithm 3.1).

    Args:
        kernel: Products of the points of each set ``(B, n, n)``.
        label: Which of them are of the concept ``(n,)``.
    """
    identity = torch.eye(len(label), dtype=kernel.dtype, device=kernel.device)
    odds = torch.zeros(kernel.shape[:2], dtype=kernel.dtype, device=kernel.device)
    for _ in range(_STEPS):
        chance = odds.sigmoid()
        root = (chance * (1 - chance)).clamp_min(1e-12).sqrt()
        wanted = root**2 * odds + label - chance
        # The system is symmetric and at least the identity, however far the sets are apart.
        factor = torch.linalg.cholesky(identity + root[:, :, None] * kernel * root[:, None])
        right = root[..., None] * (kernel @ wanted[..., None])
        shares = wanted - root * torch.cholesky_solve(right, factor)[..., 0]
        moved = (kernel @ shares[..., None])[..., 0] - odds
        # Far steps are cut, since Newton's method may overshoot where examples are decided with certainty.
        odds = odds + moved.clamp(-5, 5)
        if moved.abs().max() < _SETTLED:
            return shares
    raise ModelError("the regressions between examples do not settle", remedy="take another layer, or more examples")
