"""Coalitions: what a classifier answers when only some players keep their value, in bounded memory."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from classifier.chunks import ELEMENTS, chunk_size
from classifier.modality import modality_of
from explain.method import Task

# Input elements masked at once on a processor: twice as fast as pieces that leave its cache.
_CACHED = 2**17


def coalition_values(task: Task, present: Tensor, *, elements: int | None = None) -> Tensor:
    """The mean output over the background where only the players of each coalition keep their value.

    Players outside a coalition take the values of a background row, whatever the others are: the
    interventional game (Janzing et al., 2020, arXiv:1910.13413).

    Args:
        task: What is to be explained; every row of `task.baseline` ``(B, *S)`` counts alike.
        present: Members of each coalition ``(M, P)``, bool. The same coalitions serve all inputs.
        elements: Input elements that are masked at once; by default as many as the device likes.

    Returns:
        Values ``(N, M)``, float64, in main memory.
    """
    modality = modality_of(task.classifier.schema)
    shape = task.x.shape[1:]
    present = present.to(task.x.device)
    rows, coalitions, background = len(task.x), len(present), len(task.baseline)
    budget = chunk_size(tuple(shape), elements=elements or (_CACHED if task.x.device.type == "cpu" else ELEMENTS))
    height = min(rows, max(1, budget // (coalitions * background)))
    width = min(coalitions, max(1, budget // (height * background)))
    depth = min(background, max(1, budget // (height * width)))
    values = torch.zeros(rows, coalitions, dtype=torch.float64)
    for row, column, layer in product(range(0, rows, height), range(0, coalitions, width), range(0, background, depth)):
        x = task.x[row : row + height, None, None]
        members = present[None, column : column + width, None]
        replacement = task.baseline[None, None, layer : layer + depth]
        masked = modality.mask(x, members, replacement)
        target = task.target[row : row + height, None, None].expand(masked.shape[:3])
        part = task.output(masked.flatten(0, 2), target.flatten()).reshape(masked.shape[:3])
        values[row : row + height, column : column + width] += part.to("cpu", torch.float64).sum(2)
    return values / background


def spread_over_elements(task: Task, values: Tensor) -> Tensor:
    """Lay values of players ``(N, P)`` over the elements of the inputs ``(N, *S)``."""
    return modality_of(task.classifier.schema).spread(values, task.x.to(values.device))
