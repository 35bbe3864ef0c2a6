"""TracIn: what the steps on a training row took off an input's loss (Pruthi et al., 2020, arXiv:2002.08484)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.training_data.gradients import blocks
from explain.training_data.loss import TrainingLoss, uncalibrated
from explain.training_data.method import INFLUENCE_METHODS, InfluenceMethod, Influences, InfluenceTask, cpu_scores
from explain.training_data.row_products import RowProducts, products


@INFLUENCE_METHODS.register
@dataclass(frozen=True, kw_only=True)
class TracIn(InfluenceMethod):
    """Sum over checkpoints of the step size times the product of two gradients, that of the input's loss and that of the row's.

    To first order this is what one step on the row alone, at each checkpoint, takes off the loss of the target at the input
    (TracInCP, section 3.2). The more checkpoints the training is covered by, the nearer it comes to what happened. It is
    derived for plain gradient descent; under Adam each weight has its own step size, which it does not know.

    Args:
        learning_rates: Step size at each checkpoint; by default those of the training records, or 1 where there are none.
        layers: Names of the layers whose weights count; all where there are none. The last alone is much faster.
    """

    spelling: ClassVar[str] = "TracIn"
    meaning: ClassVar[str] = "loss of {target} that a step on the row takes off (nats)"
    takes_checkpoints: ClassVar[bool] = True

    learning_rates: tuple[float, ...] = ()
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < rate < inf for rate in self.learning_rates):
            raise ConfigurationError(f"learning_rates must be above 0 and finite, got {list(self.learning_rates)}")

    def __call__(self, task: InfluenceTask, seed: Seed) -> Influences:
        rates, notes = step_sizes(task.checkpoints, self.learning_rates)
        scores = cpu_scores(task)
        loss = TrainingLoss.of(task.classifier)
        plain = TrainingLoss(torch.ones_like(loss.weights))
        for number, (checkpoint, rate) in enumerate(zip(task.checkpoints, rates, strict=True), start=1):
            # The input's loss is that of the classifier as it answers; the row's is what was trained.
            asked, trained = RowProducts(checkpoint, self.layers), RowProducts(uncalibrated(checkpoint), self.layers)
            pieces = list(blocks(len(task.x), asked.width))
            steps = len(pieces) * -(-len(task.training) // trained.chunk)
            with progress_bar(f"TracIn, checkpoint {number} of {len(rates)}", steps, shown=task.progress) as advance:
                for some in pieces:
                    slopes = asked(plain, task.x[some], task.target[some])
                    for rows, x, labels in task.batches(size=trained.chunk):
                        scores[some, rows] += rate * products(slopes, trained(loss, x, labels)).cpu()
                        advance(f"training row {rows.stop}")
            notes = (*notes, *(note for note in trained.notes if note not in notes))
        return Influences(scores, notes)


def step_sizes(checkpoints: tuple[Classifier, ...], given: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The step size at each checkpoint, and a note where nothing tells it.

    Raises:
        ConfigurationError: If there is not one for each.
    """
    if given:
        if len(given) != len(checkpoints):
            raise ConfigurationError(f"learning_rates must be one for each of the {len(checkpoints)} checkpoints, got {len(given)}")
        return given, ()
    told = [TrainingLoss.of(checkpoint).learning_rate for checkpoint in checkpoints]
    if any(rate is None for rate in told):
        return (1.0,) * len(told), ("no training record tells the step size of every checkpoint, so each counts with a step size of 1",)
    return tuple(rate for rate in told if rate is not None), ()
