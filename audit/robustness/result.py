"""Robustness: what attacks left standing, what was proven, and whether the two can be trusted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from torch import Tensor

from classifier.metric import Metric


@dataclass(frozen=True)
class Flag:
    """A sign that the attacks did not show how weak the classifier is.

    Args:
        id: What it is, as the catalogue of a report names it: ``"zero_gradients"``.
        reason: What was seen, with the numbers.
    """

    id: str
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Robustness:
    """What attacks left standing.

    Args:
        clean_accuracy: Share of rows that are right before anything is changed.
        robust_accuracy: Share that is right and stays so; an upper bound, since a stronger attack may find more.
        certified_accuracy: Share that is proven to stay right, as far as proving spared attacks; a lower bound, missing with the
            reason where nothing can be proven. `certify` tries every row.
        robust: Which rows are right and stay so ``(N,)``, bool.
        certified: Which are proven to ``(N,)``, bool.
        adversarial: For each row that fell a changed row that is wrong, else the row itself ``(N, *S)``.
        distance: How far each changed row is from its original, in units of change ``(N,)``; 0 where none was found.
        broken_by: The attack that broke each row; empty where it stands, ``"clean"`` where it was wrong from the start.
        queries: Rows that went through the classifier for each row ``(N,)``; none for rows wrong from the start.
        gradients: How many of them were differentiated ``(N,)``.
        flags: Signs that the attacks were not what they should be. With one, `robust_accuracy` is an upper bound only, and unreliable.
        left_out: Attacks of the suite that could not be tried, each with the reason.
    """

    clean_accuracy: Metric
    robust_accuracy: Metric
    certified_accuracy: Metric
    robust: Tensor
    certified: Tensor
    adversarial: Tensor
    distance: Tensor
    broken_by: tuple[str, ...]
    queries: Tensor
    gradients: Tensor
    flags: tuple[Flag, ...] = field(default=())
    left_out: tuple[str, ...] = field(default=())

    @property
    def evaluations(self) -> int:
        """Passes through the classifier, those backward counted apart."""
        return int(self.queries.sum() + self.gradients.sum())

    @property
    def broken(self) -> dict[str, int]:
        """How many rows each attack broke, in the order in which they were tried."""
        return dict(Counter(by for by in self.broken_by if by not in ("", "clean")))

    def __str__(self) -> str:
        lines = [f"clean accuracy      {self.clean_accuracy}", f"robust accuracy     {self.robust_accuracy}"]
        lines.append(f"certified accuracy  {self.certified_accuracy}")
        if self.broken:
            lines.append(f"broken by           {', '.join(f'{name} {count}' for name, count in self.broken.items())}")
        lines += [f"unreliable, an upper bound only: {flag}" for flag in self.flags]
        return "\n".join(lines)
