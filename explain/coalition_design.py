"""Design: which coalitions are evaluated, and what they tell (Lundberg & Lee, 2017; Covert & Lee, 2021, arXiv:2012.01536)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.seeds import Seed

_GROUPS = 32


@dataclass(frozen=True)
class Design:
    """The coalitions that are evaluated, besides the empty and the full one, in pairs of one and its complement.

    Args:
        present: Members of each coalition ``(M, P)``, bool; those of a group follow each other.
        weight: How much each counts ``(M,)``; its kernel weight, or its share of what it stands for.
        sizes: How many coalitions each group has: first those of the sizes that are enumerated, then the groups
            of sampled pairs for the jackknife, if there are any.
    """

    present: Tensor
    weight: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def draw(cls, players: int, samples: int, seed: Seed) -> Design:
        """Choose at most `samples` coalitions; the same ones for the same seed, whatever the inputs.

        Sizes are enumerated from the outside in while the budget allows, and sampled in proportion to their
        weight from there on.
        """
        sizes = np.arange(1, players // 2 + 1)
        # A pair of sizes s and P - s, which are one size where s = P / 2.
        weight = (players - 1) / (sizes * (players - sizes)) * np.where(2 * sizes == players, 1, 2)
        pairs = [comb(players, int(s)) // (2 if 2 * s == players else 1) for s in sizes]
        left = samples // 2
        full = 0
        while full < len(sizes) and (full == 0 or pairs[full] <= left * weight[full] / weight[full:].sum()):
            left -= pairs[full]
            full += 1
        halves = [_every(players, int(s)) for s in sizes[:full]]
        weights = [np.full(pairs[i], weight[i] / pairs[i]) for i in range(full)]
        groups = [np.zeros(sum(pairs[:full]), dtype=np.int64)]
        if full < len(sizes):
            generator = seed.child("coalitions").numpy()
            # Systematic sampling: each size gets its share of the pairs, to within one.
            share = np.cumsum(weight[full:]) / weight[full:].sum()
            drawn = np.searchsorted(share, (np.arange(left) + generator.random()) / left, side="right").clip(max=len(share) - 1)
            counts = np.bincount(drawn, minlength=len(share))
            halves += [_some(players, int(s), int(n), generator) for s, n in zip(sizes[full:], counts, strict=True)]
            weights.append(np.full(left, weight[full:].sum() / left))
            groups.append(1 + np.arange(left) % _GROUPS)
        half = np.concatenate([np.zeros((0, players), dtype=np.bool_), *halves])
        group = np.tile(np.concatenate(groups), 2)
        order = np.argsort(group, kind="stable")
        present = np.concatenate([half, ~half])[order]
        single = np.tile(np.concatenate([np.zeros(0), *weights]) / 2, 2)[order]
        return cls(torch.from_numpy(present), torch.from_numpy(single), tuple(np.bincount(group, minlength=1).tolist()))

    @property
    def complete(self) -> bool:
        """Whether it has every coalition."""
        return len(self.sizes) == 1

    @property
    def with_ends(self) -> Tensor:
        """The empty coalition, the full one, and those of the design ``(M + 2, P)``, bool."""
        ends = torch.tensor([[False], [True]]).expand(2, self.present.shape[1])
        return torch.cat([ends, self.present])

    def shapley(self, values: Tensor) -> tuple[Tensor, Tensor | None]:
        """Fit an additive game, weighted by the Shapley kernel, that is right for the empty and the full coalition.

        Args:
            values: Values of the coalitions `with_ends` ``(N, M + 2)``, float64.

        Returns:
            Shapley values ``(N, P)``; and what they are without each group of the jackknife ``(G, N, P)``, unless all
            coalitions are there.
        """
        total, inner = values[:, 1] - values[:, 0], values[:, 2:] - values[:, :1]
        member = self.present.double()
        weighted = member * self.weight[:, None]
        parts = zip(*(torch.split(part, [*self.sizes]) for part in (member, weighted)), torch.split(inner, [*self.sizes], 1), strict=True)
        sums = [(w.T @ z, w.T @ v.T) for z, w, v in parts]
        squares, products = (torch.stack(kind) for kind in zip(*sums, strict=True))
        fitted = _solve(squares.sum(0), products.sum(0), total)
        return fitted, None if self.complete else _solve(self._without_groups(squares), self._without_groups(products), total)

    def _without_groups(self, sums: Tensor) -> Tensor:
        """Weighted sums over all coalitions but those of one group, for each; the other pairs stand for the missing ones too.

        Args:
            sums: Sums over each group, the enumerated coalitions first ``(G + 1, ...)``.

        Returns:
            ``(G, ...)``.
        """
        weights = torch.stack([weight.sum() for weight in torch.split(self.weight, [*self.sizes])[1:]])
        factor = (weights.sum() / (weights.sum() - weights)).reshape(-1, *(1,) * (sums.dim() - 1))
        # What all give, less what the missing give: one pass over the groups, which are the largest part of the work.
        return torch.addcmul(sums[0] + factor * sums[1:].sum(0), factor, sums[1:], value=-1)


def jackknife_error(replicates: Tensor) -> Tensor:
    """The standard error ``(...)`` of an estimate that was repeated without each group ``(G, ...)``."""
    count = len(replicates)
    return ((count - 1) / count * (replicates - replicates.mean(0)).square_().sum(0)).sqrt_()


def _solve(squares: Tensor, products: Tensor, total: Tensor) -> Tensor:
    """The weighted least-squares solution that sums to `total` (Covert & Lee, 2021, equation 7).

    Args:
        squares: ``Z' W Z`` ``(..., P, P)``.
        products: ``Z' W v`` ``(..., P, N)``.
        total: Output less base value ``(N,)``.

    Returns:
        Shapley values ``(..., N, P)``.
    """
    players = squares.shape[-1]
    system = torch.ones(*squares.shape[:-2], players + 1, players + 1, dtype=squares.dtype)
    system[..., :players, :players] = squares
    system[..., players, players] = 0
    right = torch.cat([products, total.expand(*products.shape[:-2], 1, -1)], -2)
    return torch.linalg.solve(system, right)[..., :players, :].mT


def _every(players: int, size: int) -> NDArray[np.bool_]:
    """One half of each pair of coalitions of `size` and its complement ``(pairs, P)``."""
    members = np.array(list(combinations(range(players), size)))
    half = np.zeros((len(members), players), dtype=np.bool_)
    np.put_along_axis(half, members, True, axis=1)
    # Where both halves have one size, the one with the first player stands for the pair.
    return half[half[:, 0]] if 2 * size == players else half


def _some(players: int, size: int, count: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """`count` random halves of a size: different ones, unless there are so many that two alike are rare."""
    if comb(players, size) <= 64 * count:
        every = _every(players, size)
        return every[generator.choice(len(every), count, replace=False)]
    half = np.zeros((count, players), dtype=np.bool_)
    members = generator.random((count, players)).argsort(axis=1)[:, :size]
    np.put_along_axis(half, members, True, axis=1)
    return half
