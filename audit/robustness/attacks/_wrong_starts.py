"""Where attacks begin that need a wrong row to begin with (Brendel et al., 2018, arXiv:1712.04248)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from classifier.seeds import Seed

# Random points that are tried, and how much farther each goes from the row where there are no bounds.
_TRIES, _FARTHER = 25, 2**0.5
# Other classes that a row of is tried, the nearest first.
_CLASSES = 5


def random_wrong(attempt: Attempt, rows: Tensor, seed: Seed) -> tuple[Tensor, Tensor]:
    """For each row a random point of its box that is wrong ``(m, *S)``, and whether one was found ``(m,)``.

    Args:
        attempt: The rows, and what they may become.
        rows: Which rows ``(m,)``.
        seed: Where the numbers come from.
    """
    points = attempt.allowed.centre[rows].clone()
    found = torch.zeros_like(rows, dtype=torch.bool)
    for number in range(_TRIES):
        left = (~found).nonzero()[:, 0]
        if len(left) == 0:
            break
        here = attempt.allowed[rows[left]]
        reach = _FARTHER**number
        lower = torch.where(here.lower.isfinite(), here.lower, here.centre - reach)
        upper = torch.where(here.upper.isfinite(), here.upper, here.centre + reach)
        tried = torch.lerp(lower, upper, attempt.uniform(rows[left], seed, tuple(points.shape[1:]), number))
        tried = torch.minimum(torch.maximum(tried, here.lower), here.upper)
        wrong = attempt.logits(tried, rows[left]).argmax(1) != attempt.labels[rows[left]]
        points[left[wrong]], found[left[wrong]] = tried[wrong], True
    return points, found


def nearest_of_other_classes(attempt: Attempt, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """For each row the nearest of the attacked ones of another class ``(m, *S)``, and whether it is wrong for it ``(m,)``.

    Then the nearest of those of a third class, and so on for a few classes. What may not change is kept as the row has
    it, so that it has to be asked for.

    Args:
        attempt: The rows, and what they may become.
        rows: Which rows ``(m,)``.
    """
    here = attempt.allowed[rows]
    order = torch.inf if here.norm == "Linf" else float(here.norm[1])
    apart = torch.cdist(here.centre.flatten(1), attempt.allowed.centre.flatten(1), p=order)
    done = attempt.labels[rows][:, None] == attempt.labels
    for _ in range(_CLASSES):
        nearest = apart.masked_fill(done, torch.inf).argmin(1)
        found = ~done.all(1)
        if not found.any():
            return
        points = attempt.allowed.centre[nearest].clamp(here.lower, here.upper)
        asked = found.nonzero()[:, 0]
        found[asked] = attempt.logits(points[asked], rows[asked]).argmax(1) != attempt.labels[rows[asked]]
        yield points, found
        done = done | (attempt.labels[nearest][:, None] == attempt.labels)
