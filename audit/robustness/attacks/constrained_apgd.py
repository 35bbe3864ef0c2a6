"""Constrained APGD: gradient ascent among the valid rows of a table (CAPGD; Simonetto et al., 2024, arXiv:2406.00775)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.attacks._adaptive_steps import ascend
from audit.robustness.attempt import Attempt
from audit.robustness.losses import targeted_margin
from audit.robustness.method import Attack, register
from audit.robustness.tables.valid_rows import ValidRows
from classifier.chunks import chunk_size
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

# Tensors of the size of the rows that a step holds; relations take more.
_HELD = 16


@register
@dataclass(frozen=True, kw_only=True)
class ConstrainedAPGD(Attack):
    """Climb the margin of another class among rows that keep bounds, directions and relations.

    Every step is projected onto what the schema allows, its row is made whole and repaired, and that row is submitted. The
    step size halves as APGD's does. It begins at the row itself for the other classes, the likeliest first, then at random
    valid rows. Where any row counts there is no law, and it is a plain APGD. It changes rows of tables alone, and needs a
    finite eps.

    Args:
        steps: Gradient steps of each restart.
        restarts: How often to begin.
    """

    steps: int = 10
    restarts: int = 6

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1:
            raise ConfigurationError(f"steps and restarts must be at least 1, got {self.steps} and {self.restarts}")

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        """See `Attack`.

        Raises:
            NotApplicableError: If the rows are no rows of a table.
            ConfigurationError: If eps is infinite.
        """
        if attempt.allowed.eps == torch.inf:
            raise ConfigurationError("constrained_apgd needs a finite eps", remedy="take evolutionary to look for the nearest wrong row")
        space = ValidRows(attempt.allowed, attempt.modality)
        standing = attempt.standing
        if not len(standing):
            return
        others = attempt.order(standing)
        place = torch.zeros_like(attempt.labels)
        place[standing] = torch.arange(len(standing), device=standing.device)
        size = max(1, chunk_size(tuple(attempt.allowed.centre.shape[1:])) // _HELD)
        # Most rows that fall do so at once; the other restarts are one batch.
        for restarts in (range(1), range(1, self.restarts)):
            left = attempt.standing
            rows = left.repeat(len(restarts))
            restart = torch.tensor(list(restarts), device=rows.device, dtype=torch.long).repeat_interleave(len(left))
            for part in torch.split(torch.arange(len(rows), device=rows.device), size):
                some = part[~attempt.broken[rows[part]]]
                aims = others[place[rows[some]], restart[some] % others.shape[1]]
                start = self._starts(attempt, space, rows[some], restart[some], others.shape[1], seed)
                ascend(attempt, rows[some], aims, start, targeted_margin, self.steps, law=space)

    def _starts(self, attempt: Attempt, space: ValidRows, rows: Tensor, restart: Tensor, others: int, seed: Seed) -> Tensor:
        """The rows themselves, once for each other class, then random rows within reach that keep the relations."""
        start = attempt.allowed.centre[rows].clone()
        for number in range(others, self.restarts):
            some = (restart == number).nonzero()[:, 0]
            if len(some):
                here = space.allowed[rows[some]]
                share = attempt.uniform(rows[some], seed.child("start"), tuple(start.shape[1:]), number)
                start[some] = space.project(here.lower + share * (here.upper - here.lower), rows[some])
        return start
