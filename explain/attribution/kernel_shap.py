"""Shapley values by weighted least squares (Lundberg & Lee, 2017, arXiv:1705.07874; Covert & Lee, 2021, arXiv:2012.01536)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.coalitions import coalition_values, spread_over_elements
from explain.method import METHODS, Method, Scores, Task

_GROUPS = 32


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class KernelSHAP(Method):
    """Fit an additive game to the values of coalitions, weighted by the Shapley kernel.

    One matrix of coalitions serves all inputs, so that all are solved at once. Coalitions come in pairs
    of one and its complement. Sizes are enumerated from the outside in while the budget allows, and
    sampled in proportion to their weight from there on. Complete to rounding; exact, and marked so,
    where all coalitions fit into the budget.

    Standard errors come from a jackknife over groups of sampled pairs. They take no credit for pairs being
    drawn without replacement, so they err on the large side where most of the coalitions are evaluated.

    Args:
        samples: Coalitions evaluated for each input and background row, besides the empty and the full one.
    """

    takes_background: ClassVar[bool] = True

    samples: int = 512

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ConfigurationError(f"samples must be at least 2, got {self.samples}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int) -> str:
        players = len(modality_of(classifier.schema).players)
        enough = min(2**players - 2, 4 * players)
        if self.samples < enough:
            return f"{players} players need samples={enough} or more, got {self.samples}"
        return super().obstacle(classifier, rows=rows, background=background)

    def __call__(self, task: Task, seed: Seed) -> Scores:
        players = len(modality_of(task.classifier.schema).players)
        design = _Design.draw(players, self.samples, seed)
        ends = torch.tensor([[False], [True]]).expand(2, players)
        values = coalition_values(task, torch.cat([ends, design.present]))
        base_value, total, inner = values[:, 0], values[:, 1] - values[:, 0], values[:, 2:] - values[:, :1]

        # Sums over the groups of the jackknife, group 0 holding what was enumerated.
        z = design.present.double()
        weighted = z * design.weight[:, None]
        groups = range(int(design.group.max(initial=0)) + 1)
        members = [torch.from_numpy(np.flatnonzero(design.group == group)) for group in groups]
        squares = torch.stack([weighted[rows].T @ z[rows] for rows in members])
        products = torch.stack([weighted[rows].T @ inner[:, rows].T for rows in members])
        weights = torch.stack([design.weight[rows].sum() for rows in members])

        attributions = _solve(squares.sum(0), products.sum(0), total)
        error = None
        if len(members) > 1:
            sampled = weights[1:].sum()
            replicates = []
            for group in groups[1:]:
                # The remaining pairs stand for the deleted ones too.
                factor = sampled / (sampled - weights[group])
                rest = [g for g in groups[1:] if g != group]
                a = squares[0] + factor * squares[rest].sum(0)
                b = products[0] + factor * products[rest].sum(0)
                replicates.append(_solve(a, b, total))
            spread = torch.stack(replicates)
            count = len(replicates)
            error = ((count - 1) / count * (spread - spread.mean(0)).square().sum(0)).sqrt()
        return Scores(spread_over_elements(task, attributions), base_value, exact=error is None, standard_error=error)


def _solve(squares: Tensor, products: Tensor, total: Tensor) -> Tensor:
    """The weighted least-squares solution that sums to `total` (Covert & Lee, 2021, equation 7).

    Args:
        squares: ``Z' W Z`` ``(P, P)``.
        products: ``Z' W v`` ``(P, N)``.
        total: Output less base value ``(N,)``.

    Returns:
        Shapley values ``(N, P)``.
    """
    players = len(squares)
    system = torch.ones(players + 1, players + 1, dtype=torch.float64)
    system[:players, :players] = squares
    system[players, players] = 0
    return torch.linalg.solve(system, torch.cat([products, total[None]]))[:players].T


@dataclass(frozen=True)
class _Design:
    """The coalitions that are evaluated, besides the empty and the full one.

    Args:
        present: Members of each coalition ``(M, P)``, bool.
        weight: How much each counts ``(M,)``; its kernel weight, or its share of what it stands for.
        group: 0 for an enumerated coalition, else the group of the jackknife that its pair is in ``(M,)``.
    """

    present: Tensor
    weight: Tensor
    group: NDArray[np.int64]

    @classmethod
    def draw(cls, players: int, samples: int, seed: Seed) -> _Design:
        """Choose at most `samples` coalitions; the same ones for the same seed, whatever the inputs."""
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
        present = torch.from_numpy(np.concatenate([half, ~half]))
        single = np.concatenate([np.zeros(0), *weights]) / 2
        return cls(present, torch.from_numpy(np.tile(single, 2)), np.tile(np.concatenate(groups), 2))


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
