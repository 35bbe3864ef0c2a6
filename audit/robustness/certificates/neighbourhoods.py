"""CROWN of single elements with the coefficients that can differ from 0 alone (Zhang et al., 2018, arXiv:1811.00866).

An element of a convolution depends on a patch, and which places it depends on is the same for all rows. Its way back
over affine operations is one small matrix, so that many rows are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from audit.robustness.certificates.lines import Lines
from audit.robustness.certificates.maxima import Maxima
from audit.robustness.certificates.network import Network
from audit.robustness.certificates.region import Region

# Elements that are followed at once, and numbers that are carried at once: in double precision 8 MiB, and some copies of that.
_ELEMENTS = 32
_NUMBERS = 2**20
# What carrying one coefficient through memory costs, in multiplications.
_CARRYING = 32
# Coefficients that are carried at once where the elements of a step are read.
_UNITS = 2**22


@dataclass(frozen=True)
class Neighbourhoods:
    """Bounds of the elements of steps, each followed through its own neighbourhood.

    Args:
        network: The operations.
        region: Where the inputs of the rows are.
        relaxed: What encloses each step that is not affine, as far as is known by now.
    """

    network: Network
    region: Region
    relaxed: Mapping[int, Lines | Maxima]
    _known: dict[int, _Rows] = field(default_factory=dict, init=False)
    _drawn: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False)

    def bounds(self, index: int, chosen: Tensor) -> tuple[Tensor, Tensor] | None:
        """Lower and upper bounds of elements of a step, each ``(N, M)``, or nothing where that would not be the shorter way.

        Args:
            index: The step.
            chosen: Places of its elements ``(M,)``.
        """
        lows, highs = list[Tensor](), list[Tensor]()
        for some in torch.split(chosen, _ELEMENTS):
            found = self._patches(index, some)
            if found is None:
                return None
            both = self._least(found)
            lows.append(both[: len(some)].T)
            highs.append(-both[len(some) :].T)
        return torch.cat(lows, 1), torch.cat(highs, 1)

    def _patches(self, index: int, chosen: Tensor) -> _Patches | None:
        """Where functions of elements of a step have coefficients, and what carries them back; nothing if that is too wide."""
        steps = self.network.steps
        pulled, constants = self.network.pull(index, self.network.units(index, chosen))
        reached = {at: part.flatten(1) != 0 for at, part in pulled.items()}
        supports, done = dict[int, _Support](), list[int]()
        while pending := [at for at in reached if at not in supports]:
            at = max(pending)
            support = supports[at] = _Support.of(reached[at])
            if at == 0:
                continue
            if not isinstance(self.relaxed.get(at), Lines) or 2 * support.places.shape[1] > reached[at].shape[1]:
                return None
            done.append(at)
            for end, places in self._rows(steps[at].sources[0]).places.items():
                before = reached.setdefault(end, places.new_zeros(len(chosen), prod(steps[end].shape), dtype=torch.bool))
                before.scatter_(1, places[support.places].flatten(1), True)
        for at in done:
            rows, width = self._rows(steps[at].sources[0]), supports[at].places.shape[1]
            local = width * sum(supports[end].places.shape[1] for end in rows.places)
            if local > len(rows.constants) * (_CARRYING + sum(places.shape[1] for places in rows.places.values())):
                return None
        ways = {at: self._rows(steps[at].sources[0]).between(supports[at], supports) for at in done}
        functions = {at: part.flatten(1).gather(1, supports[at].places) * supports[at].held for at, part in pulled.items()}
        return _Patches(supports, ways, functions, constants)

    def _rows(self, index: int) -> _Rows:
        if index not in self._known:
            self._known[index] = _Rows.of(self.network, index, self.region.lower.device)
        return self._known[index]

    def _least(self, patches: _Patches) -> Tensor:
        """Lower bounds of functions and of their opposites ``(2M, N)``."""
        widest = max(support.places.numel() for support in patches.supports.values())
        rows = torch.split(torch.arange(len(self.region.lower)), max(1, _NUMBERS // (2 * widest)))
        return torch.cat([self._least_of(patches, some) for some in rows], 1)

    def _least_of(self, patches: _Patches, rows: Tensor) -> Tensor:
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        held = {at: torch.cat([values, -values])[..., None] for at, values in patches.functions.items()}
        constants = torch.cat([patches.constants, -patches.constants])[:, None]
        while held:
            at = max(held)
            values, places = held.pop(at), patches.supports[at].places.repeat(2, 1)
            if at == 0:
                constants = constants + self._least_of_inputs(values, places, part)
                continue
            slopes, shifts = (table[:, part] for table in self._tables(at))
            constants = constants + _enclosed(shifts, places, values).sum(1)
            before = torch.bmm(patches.ways[at].repeat(2, 1, 1), _enclosed(slopes, places, values))
            constants, start = constants + before[:, -1], 0
            for end in self._rows(self.network.steps[at].sources[0]).places:
                width = patches.supports[end].places.shape[1]
                given, start = before[:, start : start + width], start + width
                held[end] = held[end] + given if end in held else given
        return constants.expand(-1, len(rows))

    def _least_of_inputs(self, values: Tensor, places: Tensor, part: slice) -> Tensor:
        """The least over the regions of linear functions of some inputs ``(M, n)``."""
        region, count = self.region, len(range(*part.indices(len(self.region.lower))))
        if region.norm == "Linf":
            lower, upper = (end[part].flatten(1).T for end in (region.lower, region.upper))
            middle, radius = (lower + upper) / 2, (upper - lower) / 2
            return (values * middle[places]).sum(1) - (values.abs() * radius[places]).sum(1)
        whole = values.new_zeros(len(values), prod(self.network.steps[0].shape), count)
        whole.scatter_add_(1, places[..., None].expand(-1, -1, count), values.expand(-1, -1, count))
        rows = torch.arange(part.start, part.stop, device=values.device).repeat(len(values))
        return region.least(whole.movedim(2, 1).flatten(0, 1), rows).reshape(len(values), count)

    def _tables(self, at: int) -> tuple[Tensor, Tensor]:
        """Slopes and shifts of a step's lines, those below before those above, each ``(2T, N)``."""
        if at not in self._drawn:
            lines = self.relaxed[at]
            assert isinstance(lines, Lines)
            pairs = (lines.low_slope, lines.high_slope), (lines.low_shift, lines.high_shift)
            slopes, shifts = (torch.cat([line.flatten(1) for line in pair], 1).T.contiguous() for pair in pairs)
            self._drawn[at] = slopes, shifts
        return self._drawn[at]


@dataclass(frozen=True)
class _Support:
    """Places where functions may have coefficients.

    Args:
        places: Of each function, the first once more where it has fewer than others ``(M, s)``.
        slots: Where each place stands among them ``(M, T)``.
        held: Whether a place stands there for itself ``(M, s)``.
    """

    places: Tensor
    slots: Tensor
    held: Tensor

    @classmethod
    def of(cls, reached: Tensor) -> _Support:
        """Of the places that functions reach ``(M, T)``, bool."""
        counts = reached.cumsum(1)
        width = max(1, int(counts[:, -1].amax()))
        slots = (counts - 1).clamp_min(0)
        places = reached.to(torch.uint8).argmax(1, keepdim=True).repeat(1, width)
        function, place = reached.nonzero().unbind(1)
        places[function, slots[function, place]] = place
        return cls(places, slots, torch.arange(width, device=places.device) < counts[:, -1:])


@dataclass(frozen=True)
class _Rows:
    """Each element of a step as a function of the steps where its affine operations end, without most zeros.

    Args:
        places: For each such step, of its elements ``(T, r)``.
        values: Coefficients there ``(T, r)``.
        constants: What is added ``(T,)``.
    """

    places: dict[int, Tensor]
    values: dict[int, Tensor]
    constants: Tensor

    @classmethod
    def of(cls, network: Network, index: int, device: torch.device) -> _Rows:
        """Of all elements of a step."""
        ends, constants = dict[int, list[tuple[Tensor, Tensor]]](), list[Tensor]()
        every = torch.arange(prod(network.steps[index].shape), device=device)
        widest = max(prod(step.shape) for step in network.steps[: index + 1])
        for some in torch.split(every, max(1, _UNITS // widest)):
            pulled, added = network.pull(index, network.units(index, some))
            constants.append(added)
            for end, part in pulled.items():
                support = _Support.of(part.flatten(1) != 0)
                ends.setdefault(end, []).append((support.places, part.flatten(1).gather(1, support.places) * support.held))
        places, values = dict[int, Tensor](), dict[int, Tensor]()
        for end, parts in ends.items():
            width = max(each.shape[1] for each, _ in parts)
            places[end] = torch.cat([torch.cat([each, each[:, :1].expand(-1, width - each.shape[1])], 1) for each, _ in parts])
            values[end] = torch.cat([nn.functional.pad(each, (0, width - each.shape[1])) for _, each in parts])
        return cls(places, values, torch.cat(constants))

    def between(self, support: _Support, supports: Mapping[int, _Support]) -> Tensor:
        """What carries coefficients at the places of a support back to those of others, and to a constant ``(M, ends + 1, s)``."""
        count, width = support.places.shape
        ends = [supports[end].places.shape[1] for end in self.places]
        matrix = self.constants.new_zeros(count, sum(ends) + 1, width)
        own, start = torch.arange(width, device=matrix.device)[:, None], 0
        for (end, places), size in zip(self.places.items(), ends, strict=True):
            at = places[support.places]
            slots = supports[end].slots.gather(1, at.flatten(1)).reshape(at.shape) + start
            matrix.flatten(1).scatter_add_(1, (slots * width + own).flatten(1), self.values[end][support.places].flatten(1))
            start += size
        matrix[:, -1] = self.constants[support.places]
        return matrix


@dataclass(frozen=True)
class _Patches:
    """Functions on their supports.

    Args:
        supports: For each step.
        ways: For each step that is not affine, what carries coefficients of what goes into it back.
        functions: Coefficients at the steps where the functions end at first ``(M, s)``.
        constants: What is added ``(M,)``.
    """

    supports: dict[int, _Support]
    ways: dict[int, Tensor]
    functions: dict[int, Tensor]
    constants: Tensor


def _enclosed(table: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Coefficients ``(M, s, n)`` times what is known of the lines at their places: of those below if positive, else above."""
    size = len(table) // 2
    if values.shape[-1] == 1:
        return table[places + size * (values[..., 0] < 0)].mul_(values)
    below = values.clamp_min(0)
    return (values - below).mul_(table[size:][places]).addcmul_(below, table[:size][places])
