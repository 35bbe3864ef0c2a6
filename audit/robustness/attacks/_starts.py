"""Where attacks begin."""

from __future__ import annotations

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from classifier.seeds import Seed


def random_starts(attempt: Attempt, rows: Tensor, seed: Seed, *, place: int | Tensor = 0) -> Tensor:
    """A random allowed row at the edge of the ball for each of `rows`, in units of change ``(m, *S)``.

    Args:
        attempt: The rows, and what they may become.
        rows: Which rows ``(m,)``.
        seed: Where the numbers come from.
        place: Which of the row's starts, one for all or one for each ``(m,)``.
    """
    allowed = attempt.allowed[rows]
    shape = tuple(allowed.centre.shape[1:])
    if allowed.norm == "Linf":
        noise = 2 * attempt.uniform(rows, seed, shape, place) - 1
        size = noise.flatten(1).abs().amax(1)
    else:
        noise = attempt.normal(rows, seed, shape, place)
        size = torch.linalg.vector_norm(noise.flatten(1), ord=int(allowed.norm[1]), dim=1)
    return allowed.project(allowed.centre + allowed.eps * noise / size.clamp_min(1e-12).reshape(-1, *[1] * len(shape)))
