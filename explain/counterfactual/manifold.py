"""Manifold: how plausible a row is, by its distance from real cases of its class."""

from __future__ import annotations

import torch
from torch import Tensor

# Cases of a class that stand for all of them.
MOST = 1000
# Distances that are in memory at once.
_AT_ONCE = 2**24


class Manifold:
    """Real cases by the class that the classifier decides of them.

    The plausibility of a row is the share of the class's cases that lie at least as far from their nearest
    neighbour in it as the row does, itself counted: nearly a conformal p-value (Laxhammar & Falkman, 2010), which new
    cases like these would get evenly between 0 and 1.

    Args:
        data: Encoded rows ``(B, D)``.
        decided: The class decided of each ``(B,)``.
        unit: What one encoded unit of a column counts, in units of change ``(D,)``.
        order: The order in which cases are taken where there are more than are needed ``(B,)``.
    """

    def __init__(self, data: Tensor, decided: Tensor, unit: Tensor, order: Tensor) -> None:
        self._data, self._decided, self._unit, self._order = data, decided, unit, order
        self._known: dict[int, tuple[Tensor, Tensor]] = {}

    def cases(self, decided: int) -> Tensor:
        """Cases of a class ``(n, D)``, at most `MOST`."""
        of = self._order[self._decided[self._order] == decided]
        return self._data[of[:MOST]]

    def others(self, present: int) -> Tensor:
        """Cases of any other class ``(n, D)``, at most `MOST`."""
        of = self._order[self._decided[self._order] != present]
        return self._data[of[:MOST]]

    def plausibility(self, z: Tensor, decided: Tensor) -> Tensor:
        """How plausible rows ``(M, D)`` are among those of their class ``(M,)``: between 0 and 1; NaN where it has fewer than two."""
        plausibility = torch.full((len(z),), torch.nan, device=z.device)
        for label in torch.unique(decided).tolist():
            if label not in self._known:
                self._known[label] = self._reference(label)
            cases, typical = self._known[label]
            if len(cases) < 2:
                continue
            of = decided == label
            nearest = self._nearest(z[of] * self._unit, cases)
            farther = len(typical) - torch.searchsorted(typical, nearest.contiguous() - 1e-6)
            plausibility[of] = (farther + 1) / (len(typical) + 1)
        return plausibility

    def distances(self, z: Tensor, cases: Tensor) -> Tensor:
        """Distances of rows ``(M, D)`` from cases ``(n, D)``, in units of change ``(M, n)``."""
        return torch.cdist(z * self._unit, cases * self._unit, p=1).round(decimals=5)

    def _reference(self, label: int) -> tuple[Tensor, Tensor]:
        """The cases of a class in units of change, and the sorted distances from each to its nearest neighbour."""
        cases = self.cases(label) * self._unit
        if len(cases) < 2:
            return cases, torch.zeros(0, device=cases.device)
        between = torch.cdist(cases, cases, p=1).fill_diagonal_(torch.inf)
        return cases, between.amin(1).sort().values

    def _nearest(self, z: Tensor, cases: Tensor) -> Tensor:
        size = max(1, _AT_ONCE // len(cases))
        return torch.cat([torch.cdist(part, cases, p=1).amin(1) for part in torch.split(z, size)])
