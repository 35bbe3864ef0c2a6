"""Breeding: children of rows, whose genes are the features of a table (after MOEVA; Simonetto et al., 2022, arXiv:2112.01156)."""

from __future__ import annotations

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from audit.robustness.tables.valid_rows import ValidRows
from classifier.seeds import Seed

# How often two parents are mixed, and a gene that could change is left as the one parent has it.
_MIXED = 0.7
# What becomes of a gene that mutates: one end of its range, anything in its range, its own value in the row; else it drifts.
_END, _ANY, _OWN = 0.4, 0.6, 0.7
# How far a number drifts at first and at last, as a share of its range.
_FAR, _NEAR = 0.5, 0.02


class Breeding:
    """Draws rows at random from what a table's rows may become.

    Args:
        attempt: The rows under attack, with whose names random numbers come.
        space: What they may become.
        seed: Where the random numbers come from.
    """

    def __init__(self, attempt: Attempt, space: ValidRows, seed: Seed) -> None:
        self._attempt, self._space, self._seed = attempt, space, seed
        self._features = space.features
        # What may not change has no gene, and whichever it is given is not used.
        self._gene = space.feature.clamp_min(0)

    def first(self, rows: Tensor, count: int) -> Tensor:
        """The row itself, and rows with from few to all genes changed ``(m, count, D)``."""
        centre = self._space.allowed.centre[rows][:, None].expand(-1, count, -1)
        draws = self._attempt.uniform(rows, self._seed.child("first"), (count, self._features, 4))
        share = torch.arange(count, device=rows.device)[:, None] / max(1, count - 1)
        return self._mutated(centre, centre, rows, draws, draws[..., 3] < share, reach=1.0)

    def children(self, herd: Tensor, rows: Tensor, generation: int, progress: float) -> Tensor:
        """As many children as there are parents ``(m, P, D)``.

        Args:
            herd: Parents, the fittest first ``(m, P, D)``.
            rows: Which rows they are of ``(m,)``.
            generation: Its number.
            progress: How much of the search is over, from 0 to 1.
        """
        count, many = len(rows), herd.shape[1]
        draws = self._attempt.uniform(rows, self._seed.child("children"), (many, self._features, 5), generation)
        chosen = self._attempt.uniform(rows, self._seed.child("parents"), (many, 3), generation)
        # The square prefers the fittest as a tournament of two does.
        parents = (chosen[..., :2].square() * many).long()
        pairs = [herd[torch.arange(count, device=rows.device)[:, None], parents[..., side]] for side in range(2)]
        mixed = (chosen[..., 2:] < _MIXED) & (draws[..., 3] < 0.5)
        free = self._free(rows)[:, None]
        herd = torch.where(mixed[..., self._gene], pairs[1], pairs[0])
        keys = torch.where(free, draws[..., 4], 2.0)
        # One gene mutates, and each other as often as one in all does.
        mutates = (keys == keys.amin(2, keepdim=True)) | (keys * free.sum(2, keepdim=True) < 1)
        reach = _FAR * (1 - progress) + _NEAR
        return self._mutated(herd, self._space.allowed.centre[rows][:, None], rows, draws, mutates, reach=reach)

    def _free(self, rows: Tensor) -> Tensor:
        """Which features of each row can change ``(m, F)``."""
        here = self._space.allowed[rows]
        moves = (here.lower < here.upper).float()
        return torch.zeros(len(rows), self._features, device=rows.device).index_add_(1, self._gene, moves) > 0

    def _mutated(self, herd: Tensor, centre: Tensor, rows: Tensor, draws: Tensor, mutates: Tensor, *, reach: float) -> Tensor:
        """The same with other values of the genes that mutate, by three draws a gene ``(m, P, F, 3)``: what, where, how far."""
        space = self._space
        here = space.allowed[rows]
        low, high = here.lower[:, None], here.upper[:, None]
        what, where, far = (draws[..., index][..., self._gene] for index in range(3))
        # A whole number drifts by a step at least, or it would stay.
        drift = herd + (where + far - 1) * torch.maximum(reach * (high - low), 2 * space.step)
        number = torch.where(what < _OWN, centre.expand_as(herd), drift)
        number = torch.where(what < _ANY, low + where * (high - low), number)
        number = torch.where(what < _END, torch.where(where < 0.5, low, high), number)
        category = (space.place == (where * space.width).long()).to(herd)
        category = torch.where((what >= _ANY) & (what < _OWN), centre.expand_as(herd), category)
        value = torch.where(space.category, category, number)
        moves = mutates[..., self._gene] & (low < high)
        return torch.where(moves, value.clamp(low, high), herd)
