"""Mixtures: what a classifier answers where parts of an input give way to its own baseline, in bounded memory."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from classifier.chunks import ELEMENTS, chunk_size
from explain.method import Task

# Input elements mixed at once on a processor: more leave its cache.
_CACHED = 2**17


def outputs_of_mixtures(task: Task, masks: Tensor) -> Tensor:
    """The output where each mask keeps parts of an input, and the rest is its baseline's.

    Unlike `explain.games.coalitions.coalition_values`, it takes one baseline an input, and masks of elements too.

    Args:
        task: What is to be explained; `task.baseline` is one for all inputs, or one for each.
        masks: The players that each mask keeps ``(M, P)``, bool; or how much of each element it keeps, from 0 to
            1 ``(M, ...)``, float, of a shape that broadcasts with ``(M, *S)``. The same masks serve all inputs.

    Returns:
        Outputs ``(N, M)``, float64, on the inputs' device.
    """
    masks = masks.to(task.x.device)
    rows, count, shape = len(task.x), len(masks), tuple(task.x.shape[1:])
    others = task.baseline.expand_as(task.x) if masks.dtype == torch.bool else task.reference
    budget = chunk_size(shape, elements=_CACHED if task.x.device.type == "cpu" else ELEMENTS)
    height = min(rows, max(1, budget // count))
    width = min(count, max(1, budget // height))
    values = torch.empty(rows, count, dtype=torch.float64, device=task.x.device)
    for row, column in product(range(0, rows, height), range(0, count, width)):
        some, part = slice(row, row + height), masks[None, column : column + width]
        x, other = task.x[some, None], others[some, None]
        mixed = task.modality.mask(x, part, other) if masks.dtype == torch.bool else torch.lerp(other, x, part.to(x))
        target = task.target[some, None].expand(mixed.shape[:2])
        values[some, column : column + width] = task.output(mixed.flatten(0, 1), target.flatten()).reshape(mixed.shape[:2]).double()
    return values
