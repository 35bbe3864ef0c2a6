"""Evolutionary search among the valid rows of a table, without gradients (after MOEVA; Simonetto et al., 2022, arXiv:2112.01156)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from audit.robustness.attacks._breeding import Breeding
from audit.robustness.attempt import Attempt
from audit.robustness.forward import decided
from audit.robustness.losses import margin
from audit.robustness.method import Attack, register
from audit.robustness.tables.valid_rows import ValidRows
from classifier.chunks import chunk_size
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

# Tensors of the size of the herds that a generation holds; relations take more.
_HELD = 32
# Above any margin, so that what is wrong comes before what is right, and below it, what is not valid after all that is.
_WRONG = 1e6


@register
@dataclass(frozen=True, kw_only=True)
class Evolutionary(Attack):
    """Breed rows within reach, and keep those whose decision is nearest to turning.

    Genes are features: numbers move within reach, whole numbers in whole steps, categories are exchanged whole. Children take
    genes of two parents and change some, are repaired to valid rows, and are ranked with their parents: by the margin where
    the decision is right, by the distance where it is wrong, and last what could not be repaired, by what its relations miss.
    Where any row counts there is no law, and every number moves freely. It changes rows of tables alone.

    Args:
        generations: How often children are bred.
        population: Rows kept of each row under attack, and children a generation.
    """

    generations: int = 100
    population: int = 24
    gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.generations < 1 or self.population < 2:
            raise ConfigurationError(
                f"generations must be at least 1 and population at least 2, got {self.generations} and {self.population}"
            )

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        """See `Attack`.

        Raises:
            NotApplicableError: If the rows are no rows of a table.
        """
        space = ValidRows(attempt.allowed, attempt.modality)
        here = space.allowed
        movable = (here.lower < here.upper).any(1)
        rows = attempt.standing[movable[attempt.standing]]
        size = max(1, chunk_size((self.population * here.centre.shape[1] * _HELD,)))
        for part in torch.split(rows, size):
            if len(part):
                self._evolve(attempt, space, part, Breeding(attempt, space, seed))

    def _evolve(self, attempt: Attempt, space: ValidRows, rows: Tensor, breeding: Breeding) -> None:
        herd, fitness = _judged(attempt, space, breeding.first(rows, self.population), rows)
        for generation in range(self.generations):
            stands = ~attempt.broken[rows]
            if not stands.any():
                return
            rows, herd, fitness = rows[stands], herd[stands], fitness[stands]
            herd, fitness = _fittest(herd, fitness, self.population)
            children = breeding.children(herd, rows, generation, generation / self.generations)
            bred, fit = _judged(attempt, space, children, rows)
            # Of equals the children come first: across a plateau the herd drifts.
            herd, fitness = torch.cat([bred, herd], 1), torch.cat([fit, fitness], 1)


def _judged(attempt: Attempt, space: ValidRows, herd: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Herds made valid ``(m, P, D)``, and how fit each is ``(m, P)``; what is wrong is submitted."""
    count, many, width = herd.shape
    owner = rows.repeat_interleave(many)
    u, good = space.settle(herd.reshape(-1, width), owner)
    # In double precision, or distances would be lost beside what is added to them.
    fitness = -_WRONG * (1 + space.violation(u).double())
    index = good.nonzero()[:, 0]
    if len(index):
        logits = attempt.logits(u[index], owner[index])
        gap = margin(logits, attempt.labels[owner[index]], owner[index])
        wrong = decided(logits) != attempt.labels[owner[index]]
        fitness[index] = torch.where(wrong, _WRONG - space.allowed[owner[index]].distance(u[index]).double(), gap.double())
        if wrong.any():
            attempt.submit(u[index[wrong]], owner[index[wrong]], logits[wrong])
    return u.reshape(count, many, width), fitness.reshape(count, many)


def _fittest(herd: Tensor, fitness: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The fittest of each herd, the best first; of the same row only one as long as there are others."""
    # Any number that is the same for equal rows brings them together.
    weights = torch.arange(1, 1 + herd.shape[2], dtype=torch.float64, device=herd.device).sqrt()
    near = (herd * weights).sum(2).argsort(dim=1, stable=True)
    beside = herd.gather(1, near[..., None].expand_as(herd))
    again = torch.zeros_like(fitness, dtype=torch.bool)
    again.scatter_(1, near[:, 1:], (beside[:, 1:] == beside[:, :-1]).all(2))
    order = fitness.masked_fill(again, -torch.inf).sort(dim=1, descending=True, stable=True).indices[:, :count]
    return herd.gather(1, order[..., None].expand(-1, -1, herd.shape[2])), fitness.gather(1, order)
