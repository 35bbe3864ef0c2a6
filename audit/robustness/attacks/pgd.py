"""PGD: projected gradient ascent with steps that shrink on a schedule (Madry et al., 2018, arXiv:1706.06083).

It begins with the surprise at the label. That saturates where a classifier is very sure, so each restart climbs the margin
of another class over the true one (Carlini and Wagner, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.robustness.attacks._starts import random_starts
from audit.robustness.attempt import Attempt
from audit.robustness.losses import cross_entropy, targeted_margin
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.seeds import Seed


@register
@dataclass(frozen=True, kw_only=True)
class PGD(Attack):
    """Climb cross-entropy from the row itself, then the margin of each other class, the likeliest first, then from random points.

    Args:
        steps: Gradient steps of each restart.
        restarts: How often to begin.
    """

    steps: int = 40
    restarts: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1:
            raise ConfigurationError(f"steps and restarts must be at least 1, got {self.steps} and {self.restarts}")

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        for restart in range(self.restarts):
            rows = attempt.standing
            if len(rows) == 0:
                return
            rounds, aim = divmod(restart - 1, attempt.classes - 1) if restart else (0, 0)
            loss, aims = (targeted_margin, attempt.order(rows)[:, aim]) if restart else (cross_entropy, attempt.labels[rows])
            allowed = attempt.allowed[rows]
            u = random_starts(attempt, rows, seed, place=restart) if rounds else allowed.centre
            for step in range(self.steps):
                logits, _, gradient = attempt.climb(u, rows, loss, aims)
                gone = attempt.submit(u, rows, logits)
                if gone.any():
                    rows, aims, allowed, u, gradient = rows[~gone], aims[~gone], allowed[~gone], u[~gone], gradient[~gone]
                if len(rows) == 0:
                    break
                # From a step that crosses the whole ball down to a fine one.
                u = allowed.step(u, gradient, 2 * allowed.eps * (1 - step / self.steps) ** 2 + allowed.eps / self.steps)
            if len(rows):
                attempt.submit(u, rows)
