"""A trigger that somebody could apply: some cells wholly replaced by valid values, and no cell in part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.backdoors.cells import Cells
from audit.robustness.backdoors.inversion import Triggers


@dataclass(frozen=True)
class WholeTriggers:
    """One trigger a target.

    Args:
        taken: Which cells it replaces ``(T, C)``, bool.
        pattern: What replaces them, valid values ``(T, *S)``.
        share: Share of the sources that it turns ``(T,)``.
        cells: What the cells are.
    """

    taken: Tensor
    pattern: Tensor
    share: Tensor
    cells: Cells

    @classmethod
    def of(
        cls,
        triggers: Triggers,
        decide: Callable[[Tensor], Tensor],
        sources: Tensor,
        targets: Tensor,
        cells: Cells,
        *,
        success: float = 0.99,
    ) -> WholeTriggers:
        """Take the cells of the largest mask, as few as turn the share `success` of the sources; else as turn most.

        Args:
            triggers: What was found.
            decide: From ``(n, *S)`` to classes ``(n,)``.
            sources: The rows that each was made from ``(T, R, *S)``.
            targets: The class that they shall be turned to ``(T,)``.
            cells: What a trigger may be made of.
            success: Share of the sources that a trigger must turn.
        """
        most = int(cells.free.sum())
        counts = _counts(most, sources.device)
        rank = triggers.mask.masked_fill(~cells.free, -1.0).argsort(dim=1, descending=True, stable=True).argsort(1)
        pattern = cells.snapped(triggers.pattern)
        turned = []
        for count in counts:
            made = cls(rank < count, pattern, torch.zeros(len(pattern)), cells)
            turned.append(torch.stack([(decide(made.apply(x, t)) == targets[t]).double().mean() for t, x in enumerate(sources)]))
        share = torch.stack(turned, dim=1)  # (T, J)
        # The first count that does what it should; argmax takes the first of equals.
        best = (share.clamp_max(success)).argmax(1)
        return cls(rank < counts[best][:, None], pattern, share.gather(1, best[:, None])[:, 0], cells)

    def apply(self, x: Tensor, target: int) -> Tensor:
        """Rows ``(n, *S)`` with the trigger of a target."""
        return torch.where(self.taken[target][self.cells.index], self.pattern[target], x)


def _counts(most: int, device: torch.device) -> Tensor:
    """Numbers of cells to try: each up to 8, then about a fifth more each ``(J,)``."""
    counts, count = [], 1
    while count < most:
        counts.append(count)
        count += max(1, count // 5) if count >= 8 else 1
    return torch.tensor([*counts, most], device=device)
