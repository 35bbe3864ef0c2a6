"""Integrated gradients (Sundararajan et al., 2017, arXiv:1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.chunks import chunk_size
from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.method import METHODS, Method, Need, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Method):
    """Average the gradient along the straight path from the baseline to the input (equation 1).

    Complete: attributions sum to ``f(x) - f(baseline)``, up to an error that shrinks as `steps` grows.

    Args:
        steps: Points of the Gauss-Legendre rule; each costs a forward and a backward pass.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})

    steps: int = 32

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigurationError(f"steps must be at least 1, got {self.steps}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        from captum.attr import IntegratedGradients as CaptumIntegratedGradients

        engine = CaptumIntegratedGradients(task.output)
        baseline = task.baseline.expand_as(task.x)
        # Captum cuts a batch by steps but never by inputs, so the inputs are cut here.
        size = chunk_size(tuple(task.x.shape[1:]))
        parts = [
            engine.attribute(
                task.x[start : start + size],
                baselines=baseline[start : start + size],
                additional_forward_args=task.target[start : start + size],
                n_steps=self.steps,
                internal_batch_size=size,
            ).detach()
            for start in range(0, len(task.x), size)
        ]
        return Scores(torch.cat(parts), task.output(baseline, task.target))
