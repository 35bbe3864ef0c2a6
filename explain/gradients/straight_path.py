"""Straight path: the way from each input's reference to the input, along which gradients are taken."""

from __future__ import annotations

import torch
from torch import Tensor

from explain.gradients.continuum import Continuum


class StraightPath:
    """The straight way from the reference to the input of some rows.

    It is walked behind the affine layers that a network begins with: they map it to a straight way, so they are
    run at its ends alone, and gradients go back through them once, when they have been summed.

    Args:
        space: Where the points are.
        rows: Numbers of the rows ``(n,)``.
    """

    def __init__(self, space: Continuum, rows: Tensor) -> None:
        self.space, self.rows = space, rows
        self._ends = space.reference[rows], space.points[rows]
        with torch.no_grad():
            self.start = space.begin(self._ends[0])
            #: How far the input is from its reference ``(n, *H)``.
            self.way = space.begin(self._ends[1]) - self.start

    def points(self, places: Tensor, shares: Tensor) -> Tensor:
        """Points ``(m, *H)`` at shares of the way ``(m,)``, from 0 to 1, of the rows at `places` in `rows` ``(m,)``."""
        return torch.addcmul(self.start[places], shares.reshape(-1, *(1,) * (self.way.dim() - 1)), self.way[places])

    def outputs(self, places: Tensor, shares: Tensor) -> Tensor:
        """The output there ``(m,)``."""
        return self.space.finish(self.points(places, shares), self.rows[places])

    def gradients(self, points: Tensor, places: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The output at points of the way ``(m,)``, and its gradient there times a weight ``(m, *H)``.

        Args:
            points: Points ``(m, *H)``, between `start` and `start` + `way`; they may be written over.
            places: The place in `rows` of the row that each belongs to ``(m,)``.
            weights: How much each counts ``(m,)``.
        """
        return self.space.slopes(points, self.rows[places], weights)

    def attributions(self, slopes: Tensor) -> Tensor:
        """Gradients ``(n, *H)``, weighted and summed, back at the points, times the distance from the reference ``(n, *E)``."""
        start, end = self._ends
        point = end.detach().requires_grad_()
        with torch.enable_grad():
            begun = self.space.begin(point)
            (slope,) = (slopes,) if begun is point else torch.autograd.grad(begun, point, slopes)
        return slope * (end - start)
