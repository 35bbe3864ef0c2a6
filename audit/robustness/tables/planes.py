"""Planes: the linear relations of a schema, and the rows that keep them next to others (Boyle and Dykstra, 1986)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from classifier.perturbation import PerturbationSet
from classifier.schema import Schema

# Rounds over the relations. What they leave is small, and is made good when numbers are made whole.
_ROUNDS = 10
# Distances from a plane that count as none, in units of change.
_NOISE = 1e-7


class Planes:
    """The relations of a table as half-spaces and planes, over columns in units of change.

    Args:
        schema: Where the relations stand.
        device: Where rows are.
    """

    def __init__(self, schema: Schema, device: torch.device) -> None:
        count = len(schema.relations)
        weights = torch.zeros(count, len(schema.columns), dtype=torch.float64)
        constant = torch.zeros(count, dtype=torch.float64)
        for index, relation in enumerate(schema.relations):
            constant[index] = -relation.value
            for name, weight in relation.weights.items():
                feature = schema[name]
                weights[index, schema.groups[name].start] = weight * feature.span
                if schema.encoding == "unit" and feature.low is not None:
                    constant[index] += weight * feature.low
        # Of length 1, so that an excess is a distance whatever a relation's unit is.
        length = weights.norm(dim=1).clamp_min(1e-30)
        self._weights = (weights / length[:, None]).to(device)
        self._constant = (constant / length).to(device)
        self._equal = torch.tensor([relation.sense == "==" for relation in schema.relations], device=device)

    def violation(self, u: Tensor) -> Tensor:
        """How far each row is from keeping the relations, in units of change, summed over them ``(M,)``.

        Args:
            u: Rows in units of change ``(M, D)``.
        """
        return self._excess(u.double(), self._weights).abs().sum(1).to(u)

    def nearest(self, u: Tensor, here: PerturbationSet, inside: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A row near each that keeps the relations and is inside, as far as there is one ``(M, D)``.

        Args:
            u: Rows in units of change ``(M, D)``.
            here: What they may become; columns whose bounds meet do not move.
            inside: From some of the rows ``(m, D)`` and which they are ``(m,)`` to rows inside the ball and the box.
        """
        u = inside(u, torch.arange(len(u), device=u.device))
        broken = (self.violation(u) > _NOISE).nonzero()[:, 0]
        if len(broken):
            u = u.clone()
            u[broken] = self._cycled(u[broken], broken, here[broken], inside)
        return u

    def _cycled(self, u: Tensor, rows: Tensor, here: PerturbationSet, inside: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Dykstra's projections onto each relation and what is inside in turn, each but the first undoing its own last step."""
        count = len(self._weights)
        kind = u.dtype
        free = (here.lower < here.upper).double()
        value = u.double()
        corrections = [torch.zeros_like(value) for _ in range(count + 1)]
        for _ in range(_ROUNDS):
            for index in range(count):
                start = value + corrections[index]
                weights = self._weights[index] * free
                excess = self._excess(start, self._weights[index : index + 1], index)
                value = start - excess / (weights * weights).sum(1, keepdim=True).clamp_min(1e-12) * weights
                corrections[index] = start - value
            start = value + corrections[count]
            value = inside(start.to(kind), rows).double()
            corrections[count] = start - value
            if not bool((self.violation(value) > _NOISE).any()):
                break
        return value.to(kind)

    def _excess(self, value: Tensor, weights: Tensor, index: int | None = None) -> Tensor:
        """How far rows are beyond each relation, signed; 0 where it holds ``(M, R)``."""
        chosen = slice(None) if index is None else slice(index, index + 1)
        excess = value @ weights.T + self._constant[chosen]
        return torch.where(self._equal[chosen], excess, excess.clamp_min(0))
