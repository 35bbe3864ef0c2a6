"""Alpha-CROWN: the lower lines of undecided corners, chosen by gradient for each margin (Xu et al., 2021, arXiv:2011.13824).

Only the lines on the way of the last bound are chosen; the bounds of inner elements stay those of CROWN.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from audit.robustness.certificates.crown import Bounded
from audit.robustness.certificates.lines import Lines

_RATE, _DECAY = 0.25, 0.96


def best_least(known: Bounded, pulled: Mapping[int, Tensor], constants: Tensor, rows: Tensor, *, steps: int) -> Tensor:
    """Lower bounds of linear functions, each the best that was met on the way, the first being CROWN's ``(M,)``.

    Args:
        known: What is known of the network over the regions.
        pulled: Coefficients of the outputs of steps ``(M, *T)``.
        constants: What is added ``(M,)``.
        rows: The row of each function ``(M,)``.
        steps: Gradient steps.
    """
    best = known.least(pulled, constants, rows)
    floors = {at: lines.free[rows] for at, lines in known.relaxed.items() if isinstance(lines, Lines) and lines.free is not None}
    own = {at: lines.low_slope[rows] for at, lines in known.relaxed.items() if at in floors and isinstance(lines, Lines)}
    slopes = {at: slope.clone().requires_grad_() for at, slope in own.items()}
    if not any(floor.isfinite().any() for floor in floors.values()):
        return best
    optimizer = torch.optim.Adam(slopes.values(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, _DECAY)
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.enable_grad():
            bound = known.least(pulled, constants, rows, slopes)
            # Each margin has slopes of its own, so that the sum asks each for its best.
            (-bound.sum()).backward()  # type: ignore[no-untyped-call]
        best = torch.maximum(best, bound.detach())
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for at, slope in slopes.items():
                slope.copy_(torch.where(floors[at].isnan(), own[at], slope.clamp(max=1.0).maximum(floors[at])))
    return torch.maximum(best, known.least(pulled, constants, rows, {at: slope.detach() for at, slope in slopes.items()}))
