"""Swapping: the fewest parts of an image, series, text or graph that flip a decision when another input's stand for them.

For texts, whose words are left out, this is SEDC (Martens & Provost, 2014, MIS Quarterly 38).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from classifier.chunks import chunk_size, in_chunks
from classifier.modalities._observed import OBSERVED
from classifier.modality import Modality, modality_of
from classifier.progress import progress_bar
from explain.counterfactual.decision import ANY, CLEAR, Decision
from explain.counterfactual.effort import Effort, Outcome
from explain.counterfactual.evaluating import Evaluator

# Cases of the wanted class whose parts are tried, for a row.
_DONORS = 3


@dataclass(frozen=True)
class _Sources:
    """Where parts come from.

    Args:
        row: The row that each pair is for ``(M,)``.
        other: The input whose parts it takes ``(M, *S)``.
        donor: The number of that input among the data ``(M,)``; -1 where the parts are left out.
    """

    row: Tensor
    other: Tensor
    donor: Tensor


def search_swaps(
    decision: Decision,
    x: Tensor,
    wanted: Tensor,
    *,
    count: int,
    effort: Effort,
    data: Tensor | None,
    decided: Tensor | None,
    progress: bool,
) -> Outcome:
    """Find the fewest players that flip the decision when they are swapped.

    They are left out, or where players mean the same in every input, replaced by those of the nearest cases that
    have the wanted decision. Greedily the player that helps most is swapped, until the decision flips; then those
    that it does not need are put back. For another one the strongest player of those found stays as it is.

    Args:
        decision: What decides.
        x: Inputs ``(N, *S)``.
        wanted: The class that is wanted of each, or `ANY` ``(N,)``.
        count: How many for a row.
        effort: How.
        data: Real cases ``(B, *S)``.
        decided: The class decided of each ``(B,)``.
        progress: Whether to show a bar.
    """
    modality = modality_of(decision.classifier.schema)
    size = max(1, min(32, chunk_size((*x.shape[1:], len(modality.players) * (_DONORS + 1)))))
    pieces, parts = torch.split(torch.arange(len(x), device=x.device), size), []
    with progress_bar("counterfactuals", len(pieces), shown=progress and len(pieces) > 1) as advance:
        for piece in pieces:
            evaluator = Evaluator(decision, x[piece], wanted[piece], effort.evaluations)
            sources = _sources(evaluator, modality, data, decided)
            parts.append(_Swaps(evaluator, modality, sources, effort.fixed).outcome(count, int(piece[0])))
            advance(f"{int(piece[-1]) + 1} rows")
    return Outcome.joined(parts)


def _sources(evaluator: Evaluator, modality: Modality, data: Tensor | None, decided: Tensor | None) -> _Sources:
    x, scale = evaluator.x, modality.schema.scale.to(evaluator.x.device)
    rows: list[int] = []
    others, donors = [], []
    for row in range(len(x)):
        if data is not None and decided is not None and modality.aligned:
            label = int(evaluator.wanted[row])
            of = (decided != evaluator.present[row] if label == ANY else decided == label).nonzero()[:, 0]
            distance = in_chunks(partial(_distance, x[row], scale), data[of])
            nearest = of[distance.argsort(stable=True)[:_DONORS]]
            rows += [row] * len(nearest)
            others.append(data[nearest])
            donors += nearest.tolist()
        rows.append(row)
        others.append(modality.neutral().to(x)[None])
        donors.append(-1)
    return _Sources(torch.tensor(rows, device=x.device), torch.cat(others), torch.tensor(donors, device=x.device))


class _Swaps:
    """The search for some rows."""

    def __init__(self, evaluator: Evaluator, modality: Modality, sources: _Sources, fixed: tuple[str, ...]) -> None:
        self.evaluator, self.modality, self.sources = evaluator, modality, sources
        self.x = evaluator.x[sources.row]
        self._fall, self._rise = _free(modality, fixed, self.x.device)
        self.present = modality.present(self.x)
        # A player that another input has as well has nothing to swap.
        changes = [self._apply(self._one(player), slice(None)) for player in range(len(modality.players))]
        differs = torch.stack([(z != self.x).flatten(1).any(1) for z in changes], 1)
        self.usable = self.present & differs

    def outcome(self, count: int, first: int) -> Outcome:
        """The best `count` of each row, as different sets of players."""
        rows, players = len(self.evaluator.x), len(self.modality.players)
        banned = torch.zeros(len(self.x), players, dtype=torch.bool, device=self.x.device)
        found: list[list[tuple[int, Tensor, Tensor]]] = [[] for _ in range(rows)]
        for _ in range(count):
            swapped, flips, strongest = self._greedy(self.usable & ~banned)
            for row in range(rows):
                own = ((self.sources.row == row) & flips).nonzero()[:, 0].tolist()
                fresh = [pair for pair in own if not any(torch.equal(swapped[pair], other) for _, other, _ in found[row])]
                if fresh:
                    pair = min(fresh, key=lambda pair: int(swapped[pair].sum()))
                    made = self._apply(swapped[pair][None], torch.tensor([pair], device=self.x.device))[0]
                    found[row].append((pair, swapped[pair], made))
            banned[torch.arange(len(banned), device=banned.device)[flips], strongest[flips]] = True
        return self._gathered(found, first)

    def _gathered(self, found: list[list[tuple[int, Tensor, Tensor]]], first: int) -> Outcome:
        z, row, flips, swapped, donor = [], [], [], [], []
        for index, own in enumerate(found):
            for pair, players, made in own or [self._closest(index)]:
                z.append(made)
                row.append(index + first)
                flips.append(bool(own))
                swapped.append(players)
                donor.append(int(self.sources.donor[pair]))
        device = self.x.device
        return Outcome(
            torch.stack(z), torch.tensor(row, device=device), torch.tensor(flips, device=device),
            self.evaluator.used, torch.stack(swapped), torch.tensor(donor, device=device),
        )  # fmt: skip

    def _closest(self, row: int) -> tuple[int, Tensor, Tensor]:
        """What came closest for a row: whose parts it has, which, and the input."""
        z = self.evaluator.closest[row]
        players = self.modality.gather((z != self.evaluator.x[row])[None].double())[0] > 0
        pairs = (self.sources.row == row).nonzero()[:, 0].tolist()
        made = (pair for pair in pairs if torch.equal(self._apply(players[None], torch.tensor([pair], device=z.device))[0], z))
        return next(made, pairs[-1]), players, z

    def _greedy(self, usable: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Swap the player that helps most until the decision flips, then put back what it does not need.

        Returns:
            The players swapped ``(M, P)``, whether that flips ``(M,)``, and the first player swapped ``(M,)``.
        """
        pairs, players = usable.shape
        swapped = torch.zeros_like(usable)
        flips = torch.zeros(pairs, dtype=torch.bool, device=usable.device)
        strongest = torch.zeros(pairs, dtype=torch.int64, device=usable.device)
        for turn in range(players):
            pair, player = (usable & ~swapped & ~flips[:, None]).nonzero().T
            if not len(pair):
                break
            margin = torch.full((pairs, players), -torch.inf, device=usable.device)
            margin[pair, player] = self._margin(swapped[pair] | self._one(player), pair)
            best, chosen = margin.max(1)
            moved = best.isfinite()
            swapped[moved, chosen[moved]] = True
            strongest[moved & (turn == 0)] = chosen[moved & (turn == 0)]
            flips |= best > CLEAR
            if not moved.any():
                break
        return self._pruned(swapped, flips), flips, strongest

    def _pruned(self, swapped: Tensor, flips: Tensor) -> Tensor:
        for _ in range(swapped.shape[1]):
            several = flips & (swapped.sum(1) > 1)
            pair, player = (swapped & several[:, None]).nonzero().T
            if not len(pair):
                break
            margin = torch.full(swapped.shape, -torch.inf, device=swapped.device)
            margin[pair, player] = self._margin(swapped[pair] & ~self._one(player), pair)
            best, chosen = margin.max(1)
            able = best > CLEAR
            if not able.any():
                break
            swapped[able, chosen[able]] = False
        return swapped

    def _margin(self, swapped: Tensor, pair: Tensor) -> Tensor:
        """How far beyond the border inputs are with these players swapped ``(m,)``; minus infinity where they could not exist."""
        margin = torch.full((len(pair),), -torch.inf, device=self.x.device)
        for some in torch.split(torch.arange(len(pair), device=self.x.device), chunk_size(tuple(self.x.shape[1:]))):
            z = self._apply(swapped[some], pair[some])
            valid = self.modality.valid(z)
            margin[some[valid]] = self.evaluator.predict(z[valid], self.sources.row[pair[some][valid]]).margin
        return margin

    def _apply(self, swapped: Tensor, pair: Tensor | slice) -> Tensor:
        x, other = self.x[pair], self.sources.other[pair]
        z = self.modality.mask(x, ~swapped, other)
        if not self.modality.continuous:
            return z
        z = torch.where((z < x) & ~self._fall | (z > x) & ~self._rise, x, z)
        # Between levels there is no image; a graph that lost a node is one as it is.
        return self.modality.repair(z, x) if self.modality.aligned else z

    def _one(self, player: Tensor | int) -> Tensor:
        """The sets of one player each ``(m, P)``."""
        players = torch.arange(len(self.modality.players), device=self.x.device)
        return players[None] == torch.as_tensor(player, device=self.x.device).reshape(-1, 1)


def _free(modality: Modality, fixed: tuple[str, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Which elements may fall and which may rise; whether a step or node was there is no quantity and goes with its player."""
    schema = modality.schema
    flag, stays = torch.zeros(len(schema.columns), dtype=torch.bool), torch.zeros(len(schema.columns), dtype=torch.bool)
    for feature in schema.features:
        flag[schema.groups[feature.name]] = feature.name == OBSERVED
        stays[schema.groups[feature.name]] = feature.name in fixed
    fall, rise = modality.movable
    free, kept = modality.lay(flag), modality.lay(stays)
    return ((fall | free) & ~kept).to(device), ((rise | free) & ~kept).to(device)


def _distance(x: Tensor, scale: Tensor, data: Tensor) -> Tensor:
    """How far each of some cases ``(n, *S)`` is from one input ``(*S)``, in units of change ``(n,)``."""
    return ((data - x).abs() / scale).flatten(1).sum(1)
