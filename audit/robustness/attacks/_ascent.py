"""Ascent: rows that climb a margin in steps that shrink where they stop gaining (APGD; Croce and Hein, 2020, arXiv:2003.01690)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from math import ceil

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from audit.robustness.losses import targeted_margin
from audit.robustness.tables.valid_rows import ValidRows

# How much of a step is new, the share of steps that must gain, and the first, the least and the falling share between checks.
_MOMENTUM, _GAINS = 0.75, 0.75
_FIRST, _LEAST, _FALL = 0.22, 0.06, 0.03


@dataclass
class Ascent:
    """Where each row is on its way, and what it met; one value or one row of values each ``(M, ...)``."""

    rows: Tensor
    aims: Tensor
    u: Tensor
    before: Tensor
    best: Tensor
    slope: Tensor
    size: Tensor
    last: Tensor
    highest: Tensor
    mark: Tensor
    gains: Tensor
    halved: Tensor

    @classmethod
    def starting(cls, rows: Tensor, aims: Tensor, u: Tensor, eps: float) -> Ascent:
        """Rows at their starts ``(M, D)``, with steps of twice the radius."""
        least = torch.full((len(u),), -torch.inf, device=u.device)
        size = torch.full((len(u), 1), 2 * eps, device=u.device)
        none = torch.zeros(len(u), device=u.device)
        return cls(rows, aims, u, u, u, torch.zeros_like(u), size, least, least, least, none, none.bool())

    def kept(self, stands: Tensor) -> Ascent:
        """Those that stand ``(M,)``, bool."""
        return self if bool(stands.all()) else Ascent(*(getattr(self, field.name)[stands] for field in fields(self)))

    def look(self, attempt: Attempt) -> None:
        """Measure where they are, and remember the best."""
        _, value, slope = attempt.climb(self.u, self.rows, targeted_margin, self.aims)
        better = value > self.highest
        self.gains = self.gains + (value > self.last)
        self.last, self.highest = value, torch.where(better, value, self.highest)
        self.best = torch.where(better[:, None], self.u, self.best)
        self.slope = slope

    def halve(self, attempt: Attempt, steps: int) -> None:
        """Halve the steps of those that gained too rarely in the last `steps`, and send them back to their best."""
        stuck = ~self.halved & (self.mark >= self.highest)
        halved = (self.gains < _GAINS * steps) | stuck
        self.size = torch.where(halved[:, None], self.size / 2, self.size)
        self.halved, self.mark, self.gains = halved, self.highest, torch.zeros_like(self.gains)
        back = halved & (self.u != self.best).any(1)
        if back.any():
            self.u = self.before = torch.where(halved[:, None], self.best, self.u)
            _, _, slope = attempt.climb(self.u[back], self.rows[back], targeted_margin, self.aims[back])
            self.slope[back] = slope

    def move(self, space: ValidRows) -> None:
        """One step up, with momentum, to what keeps the schema's relations."""
        here = space.allowed[self.rows]
        ahead = space.project(self.u + self.size * here.direction(self.u, self.slope), self.rows)
        # From where nothing came before, momentum would only shorten the step.
        new = torch.where((self.before == self.u).all(1, keepdim=True), 1.0, _MOMENTUM)
        ahead = self.u + new * (ahead - self.u) + (1 - new) * (self.u - self.before)
        self.before, self.u = self.u, space.project(ahead, self.rows)


def checkpoints(steps: int) -> dict[int, int]:
    """After which steps the step size is looked at, and how many steps lie since the check before."""
    places, share, part = [0], _FIRST, _FIRST
    while share < 1:
        places.append(ceil(share * steps))
        part = max(part - _FALL, _LEAST)
        share += part
    return {after: after - before for before, after in pairwise(places) if after > before}
