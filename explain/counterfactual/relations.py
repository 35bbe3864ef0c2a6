"""Relations: a change that breaks a linear relation between features is made good by another of its features."""

from __future__ import annotations

from itertools import islice, product

import torch
from torch import Tensor

from classifier.schema import Schema

# Ways to make good that are tried for a change; with several relations there are products of them.
MOST = 24
# Rounds over the relations: the second repairs what the last relation did to the first.
_ROUNDS = 2
# Whole numbers move on when they are farther from whole than rounding leaves them.
_NOISE = 1e-3
# What float32 may leave of a sum that holds, as a share of what it adds up.
_SLACK = 1e-6


class Relations:
    """The relations of a schema.

    Args:
        schema: Where they stand.
        step: How far the column of a feature moves from one value to the next; 0 where it is continuous ``(P,)``.
        free: Which features may change at all ``(P,)``.
    """

    def __init__(self, schema: Schema, step: Tensor, free: Tensor) -> None:
        device, count = step.device, len(schema.relations)
        #: A relation as weights of encoded columns and a constant ``(R, D)``, ``(R,)``: their sum is 0, or at most 0.
        self._weights = torch.zeros(count, len(schema.columns), dtype=torch.float64, device=device)
        self._constant = torch.tensor([-relation.value for relation in schema.relations], dtype=torch.float64, device=device)
        self._least = torch.tensor([-torch.inf if relation.sense == "==" else 0.0 for relation in schema.relations], device=device)
        movable: list[list[int]] = []
        for index, relation in enumerate(schema.relations):
            for name, weight in relation.weights.items():
                feature = schema[name]
                scaled = schema.encoding == "unit" and feature.low is not None
                self._weights[index, schema.groups[name].start] = weight * (feature.span if scaled else 1.0)
                self._constant[index] += weight * float(feature.low or 0.0) if scaled else 0.0
            names = [name for name, weight in relation.weights.items() if weight and bool(free[schema.names.index(name)])]
            movable.append([schema.names.index(name) for name in names] or [-1])
        ways = torch.tensor(list(islice(product(*movable), MOST)), device=device)
        #: For each way to make good and each relation, the column that does it; -1 where none may ``(W, R)``.
        start = torch.tensor([schema.groups[name].start for name in schema.names], device=device)
        self._columns = torch.where(ways < 0, -1, start[ways.clamp_min(0)])
        self._steps = step[ways.clamp_min(0)].double()

    def broken(self, z: Tensor, x: Tensor) -> Tensor:
        """Which rows break a relation by more than the rows that they are made from, beyond the rounding of float32 ``(M,)``."""
        return self._breaks(z, x).any(1)

    def exceeded(self, z: Tensor, x: Tensor) -> Tensor:
        """Which rows break a limit so ``(M,)``; rounded numbers need not add up exactly, but must not go beyond it."""
        return (self._breaks(z, x) & self._least.isfinite()).any(1)

    def mended(self, z: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """Rows that may keep the relations again, one for each way ``(M, W, D)``; not all do.

        Args:
            z: Rows that break a relation ``(M, D)``.
            lower: Their bounds ``(M, D)``.
            upper: See `lower`.
        """
        ways, count = self._columns.shape
        z = z[:, None].expand(-1, ways, -1).clone()
        for _ in range(_ROUNDS):
            for index in range(count):
                column = self._columns[:, index].clamp_min(0)
                place = column.expand(len(z), -1)[..., None]
                excess = self._excess(z)[..., index]
                weight = self._weights[index, column]
                move = torch.where((self._columns[:, index] >= 0) & (excess.abs() > 1e-9), -excess / weight, 0.0)
                step = self._steps[:, index]
                whole = (move.abs() / step.clamp_min(1e-30) - _NOISE).ceil() * step * move.sign()
                value = z.gather(2, place)[..., 0] + torch.where(step > 0, whole, move)
                low, high = lower.gather(1, place[..., 0]), upper.gather(1, place[..., 0])
                z.scatter_(2, place, torch.minimum(torch.maximum(value.to(z.dtype), low), high)[..., None])
        return z

    def _breaks(self, z: Tensor, x: Tensor) -> Tensor:
        size = z.double().abs() @ self._weights.abs().T + self._constant.abs()
        return self._excess(z).abs() > self._excess(x).abs() + _SLACK * (1 + size)

    def _excess(self, z: Tensor) -> Tensor:
        """How far each row is from each relation, 0 where it holds ``(..., R)``, in natural units."""
        return torch.maximum(z.double() @ self._weights.T + self._constant, self._least.double())
