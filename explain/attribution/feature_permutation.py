"""Feature permutation, row by row: what the output loses on average when a part comes from another row (Breiman, 2001)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from classifier.chunks import chunk_size
from classifier.seeds import Seed
from explain.games.coalitions import spread_over_elements
from explain.games.mixtures import outputs_of_mixtures
from explain.method import METHODS, Method, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class FeaturePermutation(Method):
    """Take each player alone from every row of the background in turn, and average ``f(x) - f(x with i of b)``.

    Shuffling a column gives a row one other value by chance. Here it meets all that the background holds, so that
    nothing is drawn and a row's effects do not depend on its neighbours in the batch. The standard error is that of
    a mean over a background of this size; with one row there is none, and the result is that of `feature_ablation`.
    """

    takes_background: ClassVar[bool] = True
    quantity: ClassVar[Quantity] = "effect"

    def __call__(self, task: Task, seed: Seed) -> Scores:
        without = ~torch.eye(len(task.modality.players), dtype=torch.bool)
        whole, rows = task.output(task.x, task.target).double(), len(task.x)
        mean = torch.zeros(rows, len(without), dtype=torch.float64, device=task.x.device)
        squares = torch.zeros_like(mean)
        counted = 0
        height = max(1, chunk_size(tuple(task.x.shape[1:])) // (rows * len(without)))
        for part in torch.split(task.baseline, height):
            size = len(part)
            pairs = replace(
                task,
                x=task.x.repeat_interleave(size, 0),
                target=task.target.repeat_interleave(size),
                baseline=part.repeat(rows, *(1,) * (part.dim() - 1)),
            )
            effects = whole[:, None, None] - outputs_of_mixtures(pairs, without).reshape(rows, size, -1)
            # Chan et al. (1983): the spread of large outputs must not drown in the rounding of their squares.
            step = effects.mean(1) - mean
            squares += (effects - effects.mean(1, keepdim=True)).square().sum(1) + step.square() * counted * size / (counted + size)
            counted += size
            mean += step * size / counted
        error = (squares / (counted - 1) / counted).sqrt() if counted > 1 else None
        return Scores(spread_over_elements(task, mean), exact=error is None, standard_error=error)
