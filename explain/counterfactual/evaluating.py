"""Evaluating: every input that a search tries is predicted here, counted, and remembered where it came closest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from explain.counterfactual.decision import CLEAR, Decision


@dataclass(frozen=True)
class Answers:
    """What the classifier says of inputs that were tried.

    Args:
        margin: How far beyond the border, in logits ``(M,)``; minus infinity where the row's evaluations were used up.
        decided: The class decided ``(M,)``.
    """

    margin: Tensor
    decided: Tensor


class Evaluator:
    """Predicts for rows, each of which has so many evaluations.

    Args:
        decision: What decides.
        x: The rows ``(N, *S)``.
        wanted: The class that is wanted of each, or `ANY` ``(N,)``.
        budget: Evaluations a row.
        held: How many of them are held back at first; see `hold`.
    """

    def __init__(self, decision: Decision, x: Tensor, wanted: Tensor, budget: int, held: int = 0) -> None:
        self.decision, self.x, self.wanted, self.budget, self._held = decision, x, wanted, budget, held
        logits = decision.logits(x)
        self.present = decision.decide(logits)
        self.used = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        # The input itself is the closest until something is closer.
        self.closest = x.clone()
        self._closeness = decision.log_odds(logits, wanted, self.present)
        self.margin = decision.margin(logits, wanted, self.present).round(decimals=5)

    @property
    def left(self) -> Tensor:
        """Evaluations that each row has left ``(N,)``, without those that are held back."""
        return self.budget - self._held - self.used

    def hold(self, held: int) -> None:
        """Hold back so many evaluations of a row, and let the others be used."""
        self._held = held

    def predict(self, z: Tensor, row: Tensor) -> Answers:
        """Predict inputs ``(M, *S)`` that are tried for the rows `row` ``(M,)``, as far as evaluations are left."""
        asked = _places(row) < self.left[row]
        margin = torch.full(row.shape, -torch.inf, device=z.device)
        decided = self.present[row]
        if asked.any():
            some, of = z[asked], row[asked]
            logits = self.decision.logits(some)
            wanted, present = self.wanted[of], self.present[of]
            # Rounded, since a sum rounds otherwise in another batch, and which of two equals goes on must not hang on that.
            margin[asked] = self.decision.margin(logits, wanted, present).to(margin).round(decimals=5)
            decided = decided.masked_scatter(asked, self.decision.decide(logits))
            self.used += torch.bincount(of, minlength=len(self.used))
            self._remember(some, of, self.decision.log_odds(logits, wanted, present))
        return Answers(margin, decided)

    def _remember(self, z: Tensor, row: Tensor, closeness: Tensor) -> None:
        best = self._closeness.scatter_reduce(0, row, closeness, "amax")
        # Rounding by the size of a batch is no progress. A probability near 0 hardly moves where its odds do.
        better = (closeness >= best[row]) & (closeness > self._closeness[row] + CLEAR)
        # The first of equals, whatever order the device would write them in.
        index = better.nonzero()[:, 0]
        first = torch.full_like(self.used, len(row)).scatter_reduce(0, row[index], index, "amin")
        gained = first < len(row)
        self.closest[gained] = z[first[gained]]
        self._closeness[gained] = closeness[first[gained]]


def _places(row: Tensor) -> Tensor:
    """The how-manieth of its row each entry is ``(M,)``, from 0."""
    order = torch.argsort(row, stable=True)
    ordered = row[order]
    start = torch.searchsorted(ordered, ordered)
    places = torch.empty_like(row)
    places[order] = torch.arange(len(row), device=row.device) - start
    return places
