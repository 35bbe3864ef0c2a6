"""Input x gradient (Shrikumar et al., 2016, arXiv:1605.01713)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from classifier.seeds import Seed
from explain.gradients.continuum import Continuum
from explain.method import METHODS, Law, Method, Need, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class InputXGradient(Method):
    """Each element times the slope of the output there: what the output would lose if the element fell to 0 and the slope stayed.

    It compares with 0 in the classifier's own encoding, whatever 0 means there, and not with the baseline. Of a text
    it is the product of a token's embedding with the gradient by it, summed over the embedding.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    quantity: ClassVar[Quantity] = "effect"
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy", "symmetry", "linearity"})

    def __call__(self, task: Task, seed: Seed) -> Scores:
        space = Continuum(task)
        rows = torch.arange(len(task.x), device=task.x.device)
        parts = [space.points[some] * space.gradient(space.points[some], some) for some in torch.split(rows, space.size)]
        return Scores(space.to_elements(torch.cat(parts)), exact=True)
