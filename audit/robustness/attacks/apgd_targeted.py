"""Targeted APGD: the same ascent towards each of the likeliest other classes (Croce and Hein, 2020, arXiv:2003.01690)."""

from __future__ import annotations

from dataclasses import dataclass

from audit.robustness.attacks._adaptive_steps import ascend
from audit.robustness.attacks._jobs import aimed_jobs
from audit.robustness.attacks._starts import random_starts
from audit.robustness.attempt import Attempt
from audit.robustness.losses import scale_free
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.seeds import Seed


@register
@dataclass(frozen=True, kw_only=True)
class TargetedAPGD(Attack):
    """Climb the targeted difference of logits ratio, or with fewer than four classes the targeted margin.

    Args:
        targets: How many classes to aim at, the likeliest first; at most all others.
        steps: Steps towards each.
        restarts: How often to begin for each.
    """

    targets: int = 9
    steps: int = 100
    restarts: int = 1

    def __post_init__(self) -> None:
        if min(self.targets, self.steps, self.restarts) < 1:
            raise ConfigurationError(
                f"targets, steps and restarts must be at least 1, got {self.targets}, {self.steps} and {self.restarts}"
            )

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        loss = scale_free(attempt.classes)[1]
        for restart in range(self.restarts):
            for rows, aims, places in aimed_jobs(attempt, self.targets):
                start = random_starts(attempt, rows, seed.child(restart), place=places)
                ascend(attempt, rows, aims, start, loss, self.steps)
