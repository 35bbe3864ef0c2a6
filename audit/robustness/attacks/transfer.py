"""Transfer: rows that fool a surrogate, tried on the classifier (Papernot et al., 2017, arXiv:1602.02697; climbed with
momentum as in Dong et al., 2018, arXiv:1710.06081)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from audit.robustness.attacks._starts import random_starts
from audit.robustness.attempt import Attempt
from audit.robustness.losses import cross_entropy
from audit.robustness.method import Attack, register
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed

# Length of the first step, as a share of eps; the last one's is a tenth of it.
_STEP = 0.5


@register
@dataclass(frozen=True, kw_only=True)
class Transfer(Attack):
    """Climb the loss of a surrogate, and ask the classifier about a few of the rows on the way.

    The surrogate goes on being climbed once it is fooled, since what fools it clearly is likelier to fool another.

    Args:
        surrogate: A network that takes the same inputs. Where none is given, `attack` trains one on the classifier's
            answers about the rows that are attacked and rows made of them (`imitate`).
        queries: How many answers it is trained on, where none is given.
        steps: Steps of each restart.
        asks: Rows of each restart that the classifier is asked about.
        restarts: How often to begin: at the row itself, then at random points.
    """

    surrogate: Classifier | None = field(default=None, repr=False, compare=False)
    queries: int = 1000
    steps: int = 40
    asks: int = 4
    restarts: int = 2
    gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if min(self.steps, self.asks, self.restarts) < 1 or self.asks > self.steps or self.queries < 2:
            raise ConfigurationError(
                "steps, asks and restarts must be at least 1, asks at most the steps, and queries at least 2, "
                f"got {self.steps}, {self.asks}, {self.restarts} and {self.queries}"
            )
        if self.surrogate is not None and not self.surrogate.differentiable:
            raise ConfigurationError(f"a surrogate needs gradients, and {self.surrogate.why_no_gradients}")

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        rows = attempt.standing
        if len(rows) == 0:
            return
        if attempt.allowed.eps == inf:
            raise ConfigurationError("transfer looks within eps, which is infinite", remedy="give eps, or take hop_skip_jump")
        if self.surrogate is None:
            raise ConfigurationError("transfer needs a surrogate", remedy="let attack(...) train one, or give that of trainer.imitate")
        shape = tuple(attempt.allowed.centre.shape[1:])
        if self.surrogate.schema.shape != shape:
            raise NotApplicableError(f"the surrogate takes inputs of shape {self.surrogate.schema.shape}, the classifier of {shape}")
        inner = self.surrogate.to(attempt.labels.device)
        scale = self.surrogate.schema.scale.to(attempt.labels.device)
        stand_in = Attempt(lambda u: inner.logits(u * scale), attempt.allowed, attempt.labels, attempt.names)
        for restart in range(self.restarts):
            rows = attempt.standing
            start = attempt.allowed.centre[rows] if restart == 0 else random_starts(attempt, rows, seed.child(restart))
            self._climb(attempt, stand_in, rows, start)

    def _climb(self, attempt: Attempt, stand_in: Attempt, x_rows: Tensor, x: Tensor) -> None:
        rows, momentum = x_rows, torch.zeros_like(x)
        every = self.steps // self.asks
        wide = (-1, *[1] * (x.dim() - 1))
        for step in range(1, self.steps + 1):
            if len(rows) == 0:
                return
            gradient = stand_in.climb(x, rows, cross_entropy, attempt.labels[rows])[2]
            momentum = momentum + gradient / gradient.abs().flatten(1).mean(1).clamp_min(torch.finfo(x.dtype).tiny).reshape(wide)
            size = _STEP * attempt.allowed.eps * (1 - 0.9 * (step - 1) / self.steps)
            x = attempt.allowed[rows].step(x, momentum, size)
            if step % every == 0:
                left = ~attempt.submit(x, rows)
                rows, x, momentum = rows[left], x[left], momentum[left]
