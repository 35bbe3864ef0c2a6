"""Search: rows of a table, the candidates that were tried for them, and those that flip the decision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from explain.counterfactual.decision import CLEAR
from explain.counterfactual.evaluating import Evaluator
from explain.counterfactual.manifold import Manifold
from explain.counterfactual.space import Space


@dataclass(frozen=True)
class Tried:
    """Candidates with what came of them.

    Args:
        z: The candidates, made good where they broke a relation ``(M, D)``.
        row: The row that each stands for ``(M,)``.
        margin: How far beyond the border, in logits ``(M,)``.
        cost: What the change costs ``(M,)``.
        flips: Whether it leads to the decision that is wanted, and is as plausible as required ``(M,)``.
    """

    z: Tensor
    row: Tensor
    margin: Tensor
    cost: Tensor
    flips: Tensor

    def __getitem__(self, index: Tensor) -> Tried:
        return Tried(self.z[index], self.row[index], self.margin[index], self.cost[index], self.flips[index])

    def __len__(self) -> int:
        return len(self.row)

    @staticmethod
    def joined(parts: list[Tried]) -> Tried:
        """Several as one."""
        return Tried(*(torch.cat([getattr(part, name) for part in parts]) for name in ("z", "row", "margin", "cost", "flips")))

    def cheapest(self, signature: Tensor, count: int) -> Tried:
        """The cheapest of each row and signature, at most `count` a row, sorted by row and cost."""
        return self[lowest(self.cost, self.row, signature)].foremost(count)

    def foremost(self, count: int, score: Tensor | None = None) -> Tried:
        """The `count` of each row with the lowest score ``(M,)``, by default the cost, sorted by row and score."""
        order = torch.argsort(self.cost if score is None else score, stable=True)
        order = order[torch.argsort(self.row[order], stable=True)]
        row = self.row[order]
        place = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
        return self[order[place < count]]


class Search:
    """The state of a search.

    Args:
        space: What the rows may become.
        evaluator: What predicts, and counts.
        manifold: What is plausible, where that is asked for.
        plausible: Share of real cases that must be as far from the others as a candidate is from them; 0 asks nothing.
        keys: Random numbers that tell sets of changes apart ``(2, D)``, int64.
    """

    def __init__(self, space: Space, evaluator: Evaluator, *, manifold: Manifold | None, plausible: float, keys: Tensor) -> None:
        self.space, self.evaluator, self.manifold, self.plausible, self._keys = space, evaluator, manifold, plausible, keys

    def attempt(self, z: Tensor, row: Tensor) -> Tried:
        """Try candidates ``(M, D)`` of the rows `row` ``(M,)``.

        One that breaks a relation is made good in several ways, and the best of them stands for it: the cheapest that
        flips, else the one nearest to the border.
        """
        if self.space.relations is None:
            return self._predicted(z, row)
        whole = ~self.space.relations.broken(z, self.space.x[row])
        if whole.all():
            return self._predicted(z, row)
        broken = (~whole).nonzero()[:, 0]
        lower, upper = self.space.lower[row[broken]], self.space.upper[row[broken]]
        mended = self.space.relations.mended(z[broken], lower, upper)
        # Ways that differ in a relation that was not broken lead to the same.
        fresh = torch.ones(mended.shape[:2], dtype=torch.bool, device=z.device)
        for way in range(1, mended.shape[1]):
            fresh[:, way] = ~(mended[:, :way] == mended[:, way, None]).all(2).any(1)
        every = torch.cat([z[whole], mended[fresh]])
        source = torch.cat([whole.nonzero()[:, 0], broken.repeat_interleave(fresh.sum(1))])
        order = torch.argsort(source, stable=True)
        every, source = every[order], source[order]
        # A way that takes the change back is none.
        good = self.space.modality.valid(every) & (every != self.space.x[row[source]]).any(1)
        tried = self._valid_predicted(every, row[source], good)
        # In double precision: costs that hardly differ must not be equal beside a large number.
        rank = torch.where(tried.flips, tried.cost.double() - 1e6, torch.inf)
        rank = torch.where(~tried.flips & tried.margin.isfinite(), 1e6 - tried.margin.double(), rank)
        return tried[lowest(rank, source)]

    def attempt_as_is(self, z: Tensor, row: Tensor) -> Tried:
        """Try candidates ``(M, D)`` of the rows `row` ``(M,)`` without making a relation good that one breaks."""
        if self.space.relations is None:
            return self._predicted(z, row)
        good = self.space.modality.valid(z) & ~self.space.relations.exceeded(z, self.space.x[row])
        return self._valid_predicted(z, row, good)

    def signature(self, tried: Tried) -> Tensor:
        """A number for which columns rise and which fall ``(M,)``, int64: equal for changes of the same kind."""
        change = tried.z - self.space.x[tried.row]
        rises, falls = self._keys
        return torch.where(change > 0, rises, 0).sum(1) + torch.where(change < 0, falls, 0).sum(1)

    def cheapest(self, tried: Tried, count: int) -> Tried:
        """Of those that flip, the cheapest of each kind of change, at most `count` a row."""
        flipping = tried[tried.flips]
        return flipping.cheapest(self.signature(flipping), count)

    def _valid_predicted(self, z: Tensor, row: Tensor, valid: Tensor) -> Tried:
        """Predictions of those that are valid ``(M,)``; the others count as infinitely far from the border."""
        tried = self._predicted(z[valid], row[valid])
        margin = torch.full((len(z),), -torch.inf, device=z.device)
        cost, flips = torch.full_like(margin, torch.inf), torch.zeros_like(valid)
        margin[valid], cost[valid], flips[valid] = tried.margin, tried.cost, tried.flips
        return Tried(z, row, margin, cost, flips)

    def _predicted(self, z: Tensor, row: Tensor) -> Tried:
        answers = self.evaluator.predict(z, row)
        flips = answers.margin > CLEAR
        if self.manifold is not None and self.plausible > 0 and flips.any():
            flips[flips.clone()] = self.manifold.plausibility(z[flips], answers.decided[flips]) >= self.plausible
        return Tried(z, row, answers.margin, self.space.cost(z, row), flips)


def lowest(score: Tensor, *groups: Tensor) -> Tensor:
    """The index of the lowest score ``(M,)`` in each group ``(G,)``, sorted by group; the first of equals.

    Args:
        score: What is to be low.
        groups: Numbers ``(M,)`` that are equal for all of a group.
    """
    order = torch.argsort(score, stable=True)
    for group in reversed(groups):
        order = order[torch.argsort(group[order], stable=True)]
    first = torch.zeros_like(order, dtype=torch.bool)
    first[:1] = True
    for group in groups:
        first[1:] |= group[order][1:] != group[order][:-1]
    return order[first]
