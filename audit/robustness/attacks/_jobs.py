"""Jobs: a row and a class that is aimed at, so many side by side that the classifier is busy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt

# Jobs side by side, where so many stand: beyond, a batch takes as much longer as it is larger, and a row that the
# first class breaks has cost the others for nothing.
_SIDE_BY_SIDE = 384


def aimed_jobs(attempt: Attempt, targets: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Rows that stand ``(m,)``, the class each aims at ``(m,)``, and the how-manieth of its row that is ``(m,)``.

    The likeliest other class comes first, and one that is proven out of reach never. What breaks in one batch is in no
    later one; where few rows stand, several classes are tried at once.

    Args:
        attempt: The rows, and what is found of them.
        targets: How many classes to aim at.
    """
    standing = attempt.standing
    if len(standing) == 0:
        return
    ranked = attempt.order(standing)[:, :targets]
    order = torch.zeros(len(attempt.labels), ranked.shape[1], dtype=torch.int64, device=standing.device)
    order[standing] = ranked
    done = 0
    while done < order.shape[1]:
        rows = attempt.standing
        if len(rows) == 0:
            return
        count = min(order.shape[1] - done, max(1, _SIDE_BY_SIDE // len(rows)))
        places = torch.arange(done, done + count, device=rows.device).repeat(len(rows))
        jobs = rows.repeat_interleave(count)
        aims = order[jobs, places]
        done += count
        if attempt.unreachable is not None:
            open_ = ~attempt.unreachable[jobs, aims]
            jobs, aims, places = jobs[open_], aims[open_], places[open_]
        if len(jobs):
            yield jobs, aims, places
