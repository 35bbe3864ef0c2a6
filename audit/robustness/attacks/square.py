"""Square: random search with windows that shrink, by the logits alone (Andriushchenko et al., 2020, arXiv:1912.00049).

Its windows are squares of an image, stretches of a series, and sets of features of a table, which have no neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from audit.robustness.attacks._windows import Windows
from audit.robustness.attempt import Attempt
from audit.robustness.losses import margin
from audit.robustness.method import Attack, register
from classifier.errors import ConfigurationError
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed

# The window's share of an input halves after so many of 10,000 queries (section 4.1 there).
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
# Proposals that are drawn at once for a row, and numbers that they may take.
_AHEAD, _NUMBERS = 64, 2**16
# Of these, how many go through the classifier at once: while windows are wide most are kept, and what comes after is in vain.
_AT_ONCE, _AT_FIRST, _SOON = 16, 4, 0.025
# Ways to change a single place that are remembered for a row.
_REMEMBERED = 4096


@register
@dataclass(frozen=True, kw_only=True)
class Square(Attack):
    """Change one window at a time, and keep what brings the margin nearer to a wrong decision.

    It goes through the same proposals as if it asked one after the other. One that changes nothing, or of which is
    known that it is no gain, counts as a query but is not asked.

    Args:
        queries: Proposals for each row.
        share: Share of an input that the first windows take.
    """

    queries: int = 5000
    share: float = 0.8
    gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise ConfigurationError(f"queries must be at least 1, got {self.queries}")
        if not 0 < self.share <= 1:
            raise ConfigurationError(f"share must be above 0 and at most 1, got {self.share}")

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        rows = attempt.standing
        if len(rows) == 0:
            return
        windows = Windows(tuple(attempt.allowed.centre.shape[1:]))
        sides = torch.tensor([windows.side(self._share(query)) for query in range(self.queries)], device=rows.device)
        walks = _Walks.starting(attempt, rows, windows, seed)
        while len(walks.rows):
            self._advance(attempt, walks, windows, sides, seed.child("windows"))
            # Where single places are left, all of which are known to be no gain, nothing further can be.
            stuck = (walks.known.shape[1] > 0) & walks.known.all(1) & (sides[walks.query.clamp_max(self.queries - 1)] == 1)
            walks.keep(~attempt.broken[walks.rows] & (walks.query < self.queries) & ~stuck)

    def _advance(self, attempt: Attempt, walks: _Walks, windows: Windows, sides: Tensor, seed: Seed) -> None:
        """Go on with each walk to its next gain, or as far as its proposals at hand go."""
        ahead = max(1, min(_AHEAD, _NUMBERS // prod(windows.shape)))
        query = walks.query[:, None] + torch.arange(ahead, device=walks.query.device)
        there = query < self.queries
        side = sides[query.clamp_max(self.queries - 1)]
        u, key = walks.proposed(attempt, windows, query, side, seed)
        new = there & (u != walks.best[:, None]).flatten(2).any(2)
        if key is not None:
            single = side == 1
            walks.remember(key, single & there & ~new)
            # Of the same change proposed twice the first is asked.
            places = torch.arange(ahead, device=key.device).expand_as(key)
            first = torch.full_like(walks.known, ahead, dtype=torch.int64)
            first = first.scatter_reduce(1, key, torch.where(single, places, ahead), "amin")
            new &= ~single | (~walks.known.gather(1, key) & (first.gather(1, key) == places))
        order = new.cumsum(1)
        most = torch.where(walks.query < _SOON * self.queries, _AT_FIRST, _AT_ONCE)[:, None]
        asked = (new & (order <= most)).nonzero()
        walk, place = asked.unbind(1)
        # Up to the first that is not asked any more all are dealt with.
        reach = torch.where(there & (order <= most), 1, 0).sum(1)
        if len(walk) == 0:
            walks.query = walks.query + reach
            return
        logits = attempt.logits(u[walk, place], walks.rows[walk])
        labels = attempt.labels[walks.rows[walk]]
        value = margin(logits, labels, labels)
        gains = value > walks.closest[walk]
        gain = torch.full_like(walks.query, ahead).scatter_reduce(0, walk[gains], place[gains], "amin")
        used = place <= gain[walk] if attempt.only_valid else place == gain[walk]
        if used.any():
            attempt.submit(u[walk, place][used], walks.rows[walk[used]], logits[used])
        if key is not None:
            walks.remember_pairs(walk, key[walk, place], (side == 1)[walk, place])
        gained = gain < ahead
        kept = place == gain[walk]
        walks.best[walk[kept]], walks.closest[walk[kept]] = u[walk, place][kept], value[kept]
        walks.known[gained] = False
        walks.query = walks.query + torch.where(gained, gain + 1, reach)

    def _share(self, query: int) -> float:
        return self.share / 2 ** sum(10_000 * query // self.queries > after for after in _HALVINGS)


@dataclass
class _Walks:
    """How far the search of each row is, one a row of each tensor ``(m, ...)``."""

    rows: Tensor
    allowed: PerturbationSet
    best: Tensor
    closest: Tensor
    #: The next proposal.
    query: Tensor
    #: Changes of a single place that are known to be no gain over the best ``(m, changes)``; no column where there are too many.
    known: Tensor

    @classmethod
    def starting(cls, attempt: Attempt, rows: Tensor, windows: Windows, seed: Seed) -> _Walks:
        """Stripes at the edge of the ball."""
        allowed = attempt.allowed[rows]
        stripes = (attempt.uniform(rows, seed.child("stripes"), windows.stripes) - 0.5).sign().expand(len(rows), *windows.shape)
        size = 1.0 if allowed.norm == "Linf" else _length(stripes, int(allowed.norm[1]))
        best = allowed.project(allowed.centre + allowed.eps * stripes / size)
        logits = attempt.logits(best, rows)
        attempt.submit(best, rows, logits)
        changes = prod(windows.places) * 2 ** (1 if len(windows.shape) == 1 else prod(windows.signs))
        remembered = changes if allowed.norm == "Linf" and changes <= _REMEMBERED else 0
        walks = cls(
            rows, allowed, best, margin(logits, attempt.labels[rows], attempt.labels[rows]), torch.ones_like(rows),
            torch.zeros(len(rows), remembered, dtype=torch.bool, device=rows.device),
        )  # fmt: skip
        walks.keep(~attempt.broken[rows])
        return walks

    def keep(self, these: Tensor) -> None:
        """Drop all others."""
        if not these.all():
            for field in fields(self):
                setattr(self, field.name, getattr(self, field.name)[these])

    def proposed(self, attempt: Attempt, windows: Windows, query: Tensor, side: Tensor, seed: Seed) -> tuple[Tensor, Tensor | None]:
        """The changed rows ``(m, q, *S)``, and of those that change one place which change it is ``(m, q)``."""
        count = windows.numbers
        jobs = self.rows.repeat_interleave(query.shape[1])
        drawn = attempt.uniform(jobs, seed, (2 * count + prod(windows.signs),), query.flatten())
        up = (drawn[:, 2 * count :] < 0.5).reshape(-1, *windows.signs)
        first = windows.at(drawn[:, :count], side.flatten())
        shaped = (*query.shape, *windows.shape)
        if self.allowed.norm != "Linf":
            here, best = self.allowed[torch.arange(len(self.rows), device=jobs.device).repeat_interleave(query.shape[1])], self.best
            best = best.repeat_interleave(query.shape[1], 0)
            other = windows.at(drawn[:, count : 2 * count], side.flatten())
            return _shifted(here, best, first, other, torch.where(up, 1.0, -1.0)).reshape(shaped), None
        low, high = (edge[:, None] for edge in self.allowed.cube)
        up, inside = up.reshape(*query.shape, *up.shape[1:]), (first > 0).reshape(*query.shape, *first.shape[1:])
        u = torch.where(inside, torch.where(up, high, low), self.best[:, None])
        return u, _change(inside.flatten(2), up.flatten(2), len(windows.shape) == 1) if self.known.shape[1] else None

    def remember(self, key: Tensor, these: Tensor) -> None:
        """Changes ``(m, q)`` of which it is known that they are no gain."""
        walk, place = these.nonzero().unbind(1)
        self.known[walk, key[walk, place]] = True

    def remember_pairs(self, walk: Tensor, key: Tensor, these: Tensor) -> None:
        """The same for changes ``(j,)`` of walks ``(j,)``."""
        self.known[walk[these], key[these]] = True


def _change(inside: Tensor, up: Tensor, by_place: bool) -> Tensor:
    """A number for the place that a window begins with and its directions there ``(m, q)``.

    Args:
        inside: Which places are in the window ``(m, q, P)``.
        up: Directions ``(m, q, signs)``.
        by_place: Whether each place has a direction of its own, as in a table.
    """
    place = inside.to(torch.uint8).argmax(2)
    if by_place:
        return 2 * place + up.gather(2, place[:, :, None])[:, :, 0]
    weights = 2 ** torch.arange(up.shape[2], device=up.device)
    return place * 2 ** up.shape[2] + (up * weights).sum(2)


def _shifted(allowed: PerturbationSet, best: Tensor, first: Tensor, second: Tensor, sign: Tensor) -> Tensor:
    """The change of a second window moved to the first, with what the ball has left (algorithm 3 there)."""
    order = int(allowed.norm[1])
    change = best - allowed.centre
    here, there = change * (first > 0), change * ((second > 0) | (first > 0))
    rest = change - there
    left = (allowed.eps**order - _length(rest, order) ** order).clamp_min(0) ** (1 / order)
    bump = first * sign
    mixed = bump / _length(bump, order).clamp_min(1e-12) + here / _length(here, order).clamp_min(1e-12)
    return allowed.project(allowed.centre + rest + left * mixed / _length(mixed, order).clamp_min(1e-12))


def _length(change: Tensor, order: int) -> Tensor:
    return torch.linalg.vector_norm(change.flatten(1), ord=order, dim=1).reshape(-1, *[1] * (change.dim() - 1))
