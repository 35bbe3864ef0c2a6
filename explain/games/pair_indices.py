"""Pairs: how much two players do only together, estimated from values of coalitions (Grabisch & Roubens, 1999; Fumagalli et al., 2023)."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from explain.games.coalition_design import Design

# Coalitions whose share in every pair is kept at once.
_BLOCK = 2**13
# Keeps the system of equations solvable where few coalitions tell two pairs apart; far below what it changes elsewhere.
_RIDGE = 1e-8


class PairIndices:
    """The Shapley interaction index of each pair: what both add together beyond what each adds alone, over coalitions of the others.

    With all coalitions it is exact (Grabisch & Roubens, 1999, doi:10.1007/s001820050125). Otherwise a game of single
    players and pairs is fitted first, weighted by the Shapley kernel, whose indices are its coefficients; and the index
    of what the fit leaves over is estimated from the coalitions, each standing for those of its size that were not drawn
    (SHAP-IQ, arXiv:2303.01179, theorem 4.1). So a game without interactions of three has no error.

    Args:
        design: The coalitions.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.present = design.with_ends.double()
        players = self.present.shape[1]
        self.one, self.other = torch.triu_indices(players, players, 1)
        self.size = self.present.sum(1).long()
        groups = torch.repeat_interleave(torch.arange(len(design.sizes)), torch.tensor(design.sizes))
        #: The group of the jackknife that a coalition is in; those at the ends are always there, as are the enumerated.
        self.group = torch.cat([torch.zeros(2, dtype=torch.int64), groups])

    def __call__(self, values: Tensor, shapley: Tensor, *, without: int = 0) -> Tensor:
        """The indices ``(N, pairs)``, in the order of ``torch.triu_indices``.

        Args:
            values: Values of the coalitions ``design.with_ends`` ``(N, M + 2)``.
            shapley: Shapley values that were fitted to them ``(N, Q)``.
            without: The group of the jackknife that is left out; 0 leaves out none.
        """
        # What single players explain has no interactions, and would only add noise.
        rest = values - values[:, :1] - shapley @ self.present.T
        kept = self.group != without if without else torch.ones_like(self.group, dtype=torch.bool)
        indices = torch.zeros(len(values), len(self.one), dtype=values.dtype)
        if not self.design.complete:
            fitted = self._fit(rest, without)
            rest = rest - fitted @ self._terms.T
            indices += fitted[:, self.present.shape[1] :]
        players = self.present.shape[1]
        drawn = torch.bincount(self.size[kept], minlength=players + 1)[self.size]
        scale = torch.where(kept, players / drawn.clamp_min(1), 0.0)
        for rows in torch.split(torch.arange(len(self.present)), _BLOCK):
            indices += (rest[:, rows] * scale[rows]) @ self._shares(rows)
        return indices

    def _fit(self, rest: Tensor, without: int) -> Tensor:
        """Coefficients of single players and of pairs ``(N, Q + pairs)``, by least squares."""
        weight = torch.cat([torch.zeros(2, dtype=rest.dtype), self.design.weight])
        enumerated, squares = self._squares
        if without:
            sampled = self.group > 0
            factor = weight[sampled].sum() / weight[sampled & (self.group != without)].sum()
            members = self._terms[self.group == without]
            missing = members.T @ (weight[self.group == without, None] * members)
            squares = factor * (squares - missing)
            weight = torch.where(sampled, factor * weight, weight) * (self.group != without)
        squares = enumerated + squares
        system = squares + _RIDGE * squares.diagonal().mean() * torch.eye(len(squares), dtype=rest.dtype)
        return torch.linalg.solve(system, self._terms.T @ (weight[:, None] * rest.T)).T

    @cached_property
    def _terms(self) -> Tensor:
        """Whether each player, and each pair, is in a coalition ``(M + 2, Q + pairs)``."""
        return torch.cat([self.present, self.present[:, self.one] * self.present[:, self.other]], 1)

    @cached_property
    def _squares(self) -> tuple[Tensor, Tensor]:
        """Weighted squares of the terms, over the coalitions that are enumerated and those that are sampled."""
        counts = [self.design.sizes[0], sum(self.design.sizes[1:])]
        parts = zip(torch.split(self._terms[2:], counts), torch.split(self.design.weight, counts), strict=True)
        enumerated, sampled = (terms.T @ (weight[:, None] * terms) for terms, weight in parts)
        return enumerated, sampled

    def _shares(self, rows: Tensor) -> Tensor:
        """How much a coalition counts for a pair, where all of its size are there ``(m, pairs)``, times Q / their number."""
        players, size = self.present.shape[1], self.size[rows, None]
        first, second = self.present[rows][:, self.one], self.present[rows][:, self.other]
        both, neither = first * second, (1 - first) * (1 - second)
        outside = players - size
        return (
            both / (size * (size - 1)).clamp_min(1)
            - (1 - both - neither) / (size * outside).clamp_min(1)
            + neither / (outside * (outside - 1)).clamp_min(1)
        )
