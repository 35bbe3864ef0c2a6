"""Integrated gradients (Sundararajan et al., 2017, arXiv:1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.gradients.continuum import Continuum
from explain.gradients.straight_path import StraightPath
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
        nodes, weights = (torch.from_numpy(values).to(space.points) for values in _rule(self.steps))
        parts = []
        for rows in torch.split(torch.arange(len(task.x), device=task.x.device), space.size):
            path = StraightPath(space, rows)
            inner = (1,) * (path.way.dim() - 1)
            slopes = torch.zeros_like(path.way)
            height, width = max(1, space.size // self.steps), min(self.steps, space.size)
            for places in torch.split(torch.arange(len(rows), device=rows.device), height):
                begins, ways = path.start[places, None], path.way[places, None]
                for node, weight in zip(torch.split(nodes, width), torch.split(weights, width), strict=True):
                    points = torch.addcmul(begins, node.reshape(-1, *inner), ways)
                    _, weighted = path.gradients(points.flatten(0, 1), places.repeat_interleave(len(node)), weight.repeat(len(places)))
                    slopes[places] += weighted.reshape(points.shape).sum(1)
            parts.append(path.attributions(slopes))
        return Scores(space.to_elements(torch.cat(parts)))


@lru_cache
def _rule(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The places on a way from 0 to 1, and how much each counts."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2
