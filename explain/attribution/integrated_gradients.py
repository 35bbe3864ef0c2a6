"""Integrated gradients (Sundararajan et al., 2017, arXiv:1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.continuum import Continuum
from explain.method import METHODS, Method, Need, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Method):
    """Average the gradient along the straight path from the baseline to the input (equation 1).

    Complete: attributions sum to ``f(x) - f(baseline)``, up to an error that shrinks as `steps` grows. The
    path of a text runs through the embeddings of its tokens.

    Args:
        steps: Points of the Gauss-Legendre rule; each costs a forward and a backward pass.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})

    steps: int = 32

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigurationError(f"steps must be at least 1, got {self.steps}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        space = Continuum(task)
        nodes, weights = (torch.from_numpy(values).to(space.points) for values in np.polynomial.legendre.leggauss(self.steps))
        # The rule is for -1 to 1, and the path goes from 0 to 1.
        shape = (1, -1, *(1,) * (space.points.dim() - 1))
        places, weights = ((nodes + 1) / 2).reshape(shape), weights / 2
        height, width = max(1, space.size // self.steps), min(self.steps, space.size)
        attributions = torch.zeros_like(space.points)
        rows = torch.arange(len(task.x), device=task.x.device)
        for some in torch.split(rows, height):
            start = space.reference[some, None]
            way = space.points[some, None] - start
            for place, weight in zip(torch.split(places, width, 1), torch.split(weights, width), strict=True):
                slope = space.gradient((start + place * way).flatten(0, 1), some.repeat_interleave(place.shape[1]))
                attributions[some] += torch.einsum("nk...,k->n...", slope.reshape(len(some), -1, *slope.shape[1:]), weight)
            attributions[some] *= way[:, 0]
        return Scores(space.to_elements(attributions))
