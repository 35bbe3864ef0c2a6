"""APGD: projected gradient ascent that finds its own step sizes (Croce and Hein, 2020, arXiv:2003.01690)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from audit.robustness.attacks._adaptive_steps import ascend
from audit.robustness.attacks._starts import random_starts
from audit.robustness.attempt import Attempt
from audit.robustness.losses import cross_entropy, scale_free
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

Climbed = Literal["cross_entropy", "dlr"]


@register
@dataclass(frozen=True, kw_only=True)
class APGD(Attack):
    """Climb the loss of the label from random starts.

    Args:
        loss: ``"cross_entropy"``, or ``"dlr"``: the difference of logits ratio, and with two classes the margin.
        steps: Steps of each restart.
        restarts: How often to begin.
    """

    loss: Climbed = "cross_entropy"
    steps: int = 100
    restarts: int = 1

    def __post_init__(self) -> None:
        if self.loss not in get_args(Climbed):
            raise ConfigurationError(f"loss must be one of {', '.join(get_args(Climbed))}, got {self.loss!r}")
        if self.steps < 1 or self.restarts < 1:
            raise ConfigurationError(f"steps and restarts must be at least 1, got {self.steps} and {self.restarts}")

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        for restart in range(self.restarts):
            rows = attempt.standing
            if len(rows) == 0:
                return
            aims = attempt.labels[rows]
            loss = cross_entropy if self.loss == "cross_entropy" else scale_free(attempt.classes)[0]
            start = random_starts(attempt, rows, seed.child(restart))
            ascend(attempt, rows, aims, start, loss, self.steps)
