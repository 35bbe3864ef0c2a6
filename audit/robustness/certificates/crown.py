"""CROWN: linear bounds carried from the outputs back to the input (Zhang et al., 2018, arXiv:1811.00866)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from audit.robustness.certificates.lines import Lines, lines_of
from audit.robustness.certificates.maxima import Maxima
from audit.robustness.certificates.neighbourhoods import Neighbourhoods
from audit.robustness.certificates.network import Network
from audit.robustness.certificates.operations import Affine, Curve, Largest
from audit.robustness.certificates.region import Region
from classifier.bounds import Box

# Coefficients that are carried at once: in double precision 8 MiB, and some copies of that.
_COEFFICIENTS = 2**20


@dataclass(frozen=True)
class Bounded:
    """What is known of every operation where the inputs lie in their regions.

    Args:
        network: The operations.
        region: Where the inputs of the rows are.
        boxes: Lowest and highest output of each step ``(N, *T)``.
        relaxed: For each step that is not affine, what encloses it; where there is nothing, its box is what is known.
    """

    network: Network
    region: Region
    boxes: list[Box]
    relaxed: dict[int, Lines | Maxima]

    def least(self, pulled: Mapping[int, Tensor], constants: Tensor, rows: Tensor, slopes: Mapping[int, Tensor] | None = None) -> Tensor:
        """Lower bounds of linear functions of steps ``(M,)``.

        Args:
            pulled: Coefficients of the outputs of steps ``(M, *T)``, of one or more.
            constants: What is added ``(M,)``.
            rows: The row of each function ``(M,)``.
            slopes: For steps that are not affine, slopes of the lines below, if others than the lines' own ``(M, *S)``.
        """
        pending, steps = dict(pulled), self.network.steps
        while pending:
            index = max(pending)
            coefficients, operation = pending.pop(index), steps[index].operation
            if operation is None:
                constants = constants + self.region.least(coefficients, rows)
                continue
            relaxed = self.relaxed.get(index)
            if isinstance(operation, Affine):
                parts, added = operation.back(coefficients, self.network.shapes(index))
            elif relaxed is None:
                lower, upper = (end.flatten(1)[rows] for end in self.boxes[index])
                flat = coefficients.flatten(1)
                rising = flat.clamp_min(0)
                constants = constants + (rising * lower).sum(1) + ((flat - rising) * upper).sum(1)
                continue
            elif isinstance(relaxed, Maxima):
                part, added = relaxed.back(coefficients, rows, self.network.shapes(index)[0])
                parts = (part,)
            else:
                part, added = relaxed.back(coefficients, rows, (slopes or {}).get(index))
                parts = (part,)
            constants = constants + added
            _add(pending, steps[index].sources, parts)
        return constants


def bounded(network: Network, region: Region, *, relax: bool, tighten: bool) -> Bounded:
    """Bounds of every step, from the first to the last.

    Args:
        network: The operations.
        region: Where the inputs of the rows are.
        relax: Whether what is not affine is enclosed by lines, and not by its box alone.
        tighten: Whether the inputs of what is not affine are bounded by CROWN too, and not by intervals alone.
    """
    known = Bounded(network, region, [(region.lower, region.upper)], {})
    sources = {source for index in network.bent for source in network.steps[index].sources}
    for index, step in enumerate(network.steps):
        if step.operation is not None:
            known.boxes.append(step.operation.bounds(*(known.boxes[source] for source in step.sources)))
        if relax and isinstance(step.operation, Curve):
            known.relaxed[index] = lines_of(step.operation.layer, *known.boxes[step.sources[0]])
        elif relax and isinstance(step.operation, Largest):
            known.relaxed[index] = Maxima.of(step.operation.layer, *known.boxes[step.sources[0]])
        # What goes into an activation is bounded instead: no line is above the least of its box, nor below the most.
        if index in sources and index > 0 and not isinstance(step.operation, Curve):
            exact = network.affine[index] and network.mixings[index] <= 1 and region.norm == "Linf"
            if not exact and (tighten or (relax and network.affine[index])):
                known.boxes[index] = _tightened(known, index)
    return known


def _add(pending: dict[int, Tensor], sources: tuple[int, ...], parts: tuple[Tensor, ...]) -> None:
    for source, part in zip(sources, parts, strict=True):
        pending[source] = pending[source] + part if source in pending else part


def _tightened(known: Bounded, index: int) -> Box:
    """The box of a step, where its own coefficients tell more of some elements than intervals do."""
    lower, upper = (end.flatten(1).clone() for end in known.boxes[index])
    open_ = _undecided(known.network, index, lower, upper)
    elements = open_.any(0).nonzero()[:, 0]
    if not len(elements):
        return known.boxes[index]
    local = Neighbourhoods(known.network, known.region, known.relaxed).bounds(index, elements)
    low, high = _closer(known, index, elements, open_) if local is None else local
    lower[:, elements] = torch.where(open_[:, elements], low, lower[:, elements]).maximum(lower[:, elements])
    upper[:, elements] = torch.where(open_[:, elements], high, upper[:, elements]).minimum(upper[:, elements])
    # Where nothing may move, rounding may cross the two.
    shape = (len(lower), *known.network.steps[index].shape)
    return torch.minimum(lower, upper).reshape(shape), torch.maximum(lower, upper).reshape(shape)


def _closer(known: Bounded, index: int, elements: Tensor, open_: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper bounds of elements ``(N, M)`` where they are open, by coefficients of all that comes before."""
    network = known.network
    low, high = known.boxes[index][0].new_full((2, len(open_), len(elements)), torch.inf)
    widest = max(prod(step.shape) for step in network.steps[: index + 1])
    start = 0
    for chosen in torch.split(elements, max(1, _COEFFICIENTS // widest)):
        pulled, constants = network.pull(index, network.units(index, chosen))
        pairs = open_[:, chosen].nonzero()
        for rows, places in (part.unbind(1) for part in torch.split(pairs, max(1, _COEFFICIENTS // (2 * widest)))):
            both = torch.cat([rows, rows])
            signed = {at: torch.cat([part[places], -part[places]]) for at, part in pulled.items()}
            found = known.least(signed, torch.cat([constants[places], -constants[places]]), both)
            low[rows, start + places], high[rows, start + places] = found[: len(rows)], -found[len(rows) :]
        start += len(chosen)
    return low, high


def _undecided(network: Network, index: int, lower: Tensor, upper: Tensor) -> Tensor:
    """Which elements ``(N, T)`` tighter bounds would tell more of: all, but of a corner those on both sides of it.

    What follows a corner takes what that lets through, and of it the bounds are as tight as those of what goes in.
    """
    open_ = torch.zeros_like(lower, dtype=torch.bool)
    for at in network.bent:
        operation = network.steps[at].operation
        if index not in network.steps[at].sources:
            continue
        followed = any(at in network.steps[later].sources for later in network.bent)
        if not isinstance(operation, Curve) or not isinstance(operation.layer, nn.ReLU if followed else nn.ReLU | nn.LeakyReLU):
            return lower < upper
        open_ |= (upper > 0) & (lower < (upper if followed else 0))
    return open_
