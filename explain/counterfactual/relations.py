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
        self.schema, self.step = schema, step
        #: Where a feature's number stands, what one encoded unit is in natural ones, and where the natural ones start.
        self.place = {name: schema.groups[name].start for name in schema.names}
        self.natural: dict[str, float] = {}
        self.origin: dict[str, float] = {}
        for feature in schema.features:
            scaled = schema.encoding == "unit" and feature.low is not None
            self.natural[feature.name] = feature.span if scaled else 1.0
            self.origin[feature.name] = float(feature.low or 0.0) if scaled else 0.0
        movable = [
            [name for name, weight in relation.weights.items() if weight and bool(free[schema.names.index(name)])]
            for relation in schema.relations
        ]
        #: For each way to make good, the feature that does it for each relation; "" where none may.
        self.ways = list(islice(product(*[names or [""] for names in movable]), MOST))

    def broken(self, z: Tensor, x: Tensor) -> Tensor:
        """Which rows break a relation by more than the rows do that they are made from, beyond the rounding of float32 ``(M,)``."""
        broken = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        for index in range(len(self.schema.relations)):
            (excess, size), (own, _) = self._excess(index, z), self._excess(index, x)
            broken |= excess.abs() > own.abs() + _SLACK * (1 + size)
        return broken

    def mended(self, z: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """Rows that may keep the relations again, one for each way ``(M, W, D)``; not all do.

        Args:
            z: Rows that break a relation ``(M, D)``.
            lower: Their bounds ``(M, D)``.
            upper: See `lower`.
        """
        return torch.stack([self._mended(z, way, lower, upper) for way in self.ways], 1)

    def _mended(self, z: Tensor, way: tuple[str, ...], lower: Tensor, upper: Tensor) -> Tensor:
        z = z.clone()
        for _ in range(_ROUNDS):
            for index, (relation, name) in enumerate(zip(self.schema.relations, way, strict=True)):
                if not name:
                    continue
                excess, _ = self._excess(index, z)
                column = self.place[name]
                move = torch.where(excess.abs() > 1e-9, -excess / (relation.weights[name] * self.natural[name]), 0.0)
                step = float(self.step[self.schema.names.index(name)])
                if step:
                    move = (move.abs() / step - _NOISE).ceil() * step * move.sign()
                z[:, column] = torch.minimum(torch.maximum((z[:, column] + move).to(z.dtype), lower[:, column]), upper[:, column])
        return z

    def _excess(self, index: int, z: Tensor) -> tuple[Tensor, Tensor]:
        """How far each row is from a relation, 0 where it holds, and the size of what it adds up ``(M,)``, in natural units."""
        relation = self.schema.relations[index]
        total = torch.full((len(z),), -relation.value, dtype=torch.float64, device=z.device)
        size = torch.zeros_like(total)
        for name, weight in relation.weights.items():
            term = weight * (z[:, self.place[name]].double() * self.natural[name] + self.origin[name])
            total, size = total + term, size + term.abs()
        return (total.clamp_min(0) if relation.sense == "<=" else total), size
