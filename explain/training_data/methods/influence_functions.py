"""Influence functions: what leaving out a training row would change (Koh and Liang, 2017, arXiv:1703.04730)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from classifier.errors import ConfigurationError, ModelError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.training_data.curvature import GaussNewton, Hessian
from explain.training_data.gradients import RowGradients, blocks
from explain.training_data.loss import TrainingLoss, uncalibrated
from explain.training_data.method import INFLUENCE_METHODS, InfluenceMethod, Influences, InfluenceTask, cpu_scores
from explain.training_data.solving import conjugate_gradients, solve_exactly

# Weights up to which the curvature is made and factored; 2048 x 2048 doubles are 32 MiB.
_EXPLICIT = 2048
# A mean gradient of the training loss above this share of the rows' own lengths is told of.
_AT_REST = 0.01


@INFLUENCE_METHODS.register
@dataclass(frozen=True, kw_only=True)
class InfluenceFunctions(InfluenceMethod):
    """To first order, how much the loss of the target at the input would rise if the row were left out of training.

    ``g_input . (C + damping)^-1 g_row / M``, with the curvature C of the mean training loss (equation 2). It holds where the weights
    are at a minimum. Training that stops early is not, and what is computed then is the answer of a training that is held
    near the present weights (Bae et al., 2022, arXiv:2209.05364); a note says how far the training loss is from rest. Class weights stay
    as they were, where a recipe that balances classes would count them anew.

    Args:
        curvature: ``"gauss_newton"``, or ``"hessian"``, which for a network may have negative directions and is refused then.
        damping: What is added to the curvature's diagonal. The default suits networks whose training was stopped early, which
            stay nearer to where they were than a minimum would let them; for weights at their minimum take 0.
        steps: Steps of conjugate gradients, at most, where there are more than 2,048 weights; with fewer the solution is exact.
        tolerance: Residual, as a share, at which they stop.
        layers: Names of the layers whose weights may move; all where there are none.
    """

    meaning: ClassVar[str] = "rise of the loss of {target} without the row (nats)"

    curvature: Literal["gauss_newton", "hessian"] = "gauss_newton"
    damping: float = 0.1
    steps: int = 100
    tolerance: float = 1e-3
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.curvature not in get_args(Literal["gauss_newton", "hessian"]):
            raise ConfigurationError(f"curvature must be gauss_newton or hessian, got {self.curvature!r}")
        if not 0 <= self.damping < inf:
            raise ConfigurationError(f"damping must be at least 0 and finite, got {self.damping}")
        if self.steps < 1:
            raise ConfigurationError(f"steps must be at least 1, got {self.steps}")
        if not 0 < self.tolerance < 1:
            raise ConfigurationError(f"tolerance must lie between 0 and 1, got {self.tolerance}")

    def __call__(self, task: InfluenceTask, seed: Seed) -> Influences:
        loss = TrainingLoss.of(task.classifier)
        plain = TrainingLoss(torch.ones_like(loss.weights))
        asked, trained = RowGradients(task.classifier, self.layers), RowGradients(uncalibrated(task.classifier), self.layers)
        curve = (GaussNewton if self.curvature == "gauss_newton" else Hessian)(task, trained, loss)
        damping = self.damping + loss.l2
        matrix = curve.matrix() if trained.size <= _EXPLICIT else None
        scores = cpu_scores(task)
        # What the mean gradient is, to see how far from a minimum the weights are.
        total, length = loss.l2 * curve.size * trained.weights.double(), 0.0
        worst = 0.0
        pieces = list(blocks(len(task.x), trained.size, numbers=2**24))
        with progress_bar("influence functions", len(pieces) * (1 if matrix is not None else self.steps), shown=task.progress) as advance:
            for number, some in enumerate(pieces):
                slopes = asked.all(plain, task.x[some], task.target[some])
                if matrix is not None:
                    solution = solve_exactly(matrix, damping, slopes).to(slopes)
                    advance("solved")
                else:
                    solution, residual = conjugate_gradients(
                        curve, slopes, damping=damping, steps=self.steps, tolerance=self.tolerance, advance=advance
                    )
                    worst = max(worst, residual)
                for rows, x, labels in task.batches(size=trained.chunk):
                    each = trained(loss, x, labels)
                    scores[some, rows] = (solution @ each.T / curve.size).cpu()
                    if number == 0:
                        total += each.double().sum(0)
                        length += float(each.double().square().sum(1).sqrt().sum())
        return Influences(scores, (*self._told(worst, total, length), *trained.notes))

    def _told(self, residual: float, total: Tensor, length: float) -> tuple[str, ...]:
        """What the search left, and how far from rest the weights are.

        Raises:
            ModelError: If the residual says that the scores mean nothing.
        """
        if not residual < 1:
            raise ModelError(
                f"conjugate gradients did not come nearer in {self.steps} steps, residual {residual:.2g}",
                remedy="give a larger damping, or fewer layers",
            )
        notes = []
        if residual > self.tolerance:
            notes.append(
                f"conjugate gradients stopped after {self.steps} steps with a residual of up to {residual:.1%}; give more steps or damping"
            )
        share = float(total.norm()) / length if length else 0.0
        if share > _AT_REST:
            notes.append(
                f"training is not at rest: the mean gradient is {share:.1%} as long as a row's own, and at a minimum it would be 0; "
                "scores say what a training held near the present weights would do"
            )
        return tuple(notes)
