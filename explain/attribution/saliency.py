"""Saliency: the size of the gradient (Simonyan et al., 2014, arXiv:1312.6034)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.seeds import Seed
from explain.gradients.continuum import Continuum
from explain.method import METHODS, Law, Method, Need, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class Saliency(Method):
    """How steeply the output changes with each element, whichever way."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    quantity: ClassVar[Quantity] = "slope"
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy", "symmetry"})

    def __call__(self, task: Task, seed: Seed) -> Scores:
        space = Continuum(task)
        rows = torch.arange(len(task.x), device=task.x.device)
        parts = [space.gradient(space.points[some], some) for some in torch.split(rows, space.size)]
        return Scores(space.to_elements(torch.cat(parts).abs()), exact=True)
