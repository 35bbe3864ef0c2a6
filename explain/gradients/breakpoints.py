"""Breakpoints: the places on a straight path where a piecewise linear network changes its pieces, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from explain.gradients.piecewise import bends, corners_of, pool_windows

# Pieces shorter than this share of the way are rounding alone.
_SHORTEST = 1e-14
# How far below the maximum of a window an element may be and still count as part of it.
_LEVEL = 1e-9


class Bends:
    """What a network's activations and maximum poolings get, in the order in which it calls them.

    A layer that is called twice counts twice.

    Args:
        network: In evaluation, and with layers that `explain.gradients.piecewise` knows.
        forward: Runs the network; the outputs are not looked at.
    """

    def __init__(self, network: nn.Module, forward: Callable[..., object]) -> None:
        self.network, self.forward = network, forward

    def calls(self, *inputs: Tensor) -> list[tuple[nn.Module, Tensor]]:
        """Each layer that bends, with what it gets, for a few inputs."""
        calls: list[tuple[nn.Module, Tensor]] = []
        with self._watched(lambda layer, arrived: calls.append((layer, arrived))):
            self.forward(*inputs)
        return calls

    def arriving(self, call: int, *inputs: Tensor) -> Tensor:
        """What the layer of one call gets; the network is run no further."""
        passed = 0

        def stop(layer: nn.Module, arrived: Tensor) -> None:
            nonlocal passed
            passed += 1
            if passed > call:
                raise _Arrived(arrived)

        try:
            with self._watched(stop):
                self.forward(*inputs)
        except _Arrived as arrival:
            return arrival.values
        raise RuntimeError(f"the network bends {passed} times, and call {call} did not come")

    @contextmanager
    def _watched(self, see: Callable[[nn.Module, Tensor], None]) -> Iterator[None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            see(layer, next(iter((*inputs, *named.values()))).detach())

        handles = [layer.register_forward_pre_hook(hook, with_kwargs=True) for layer in self.network.modules() if bends(layer)]
        try:
            with torch.no_grad():
                yield
        finally:
            for handle in handles:
                handle.remove()


class _Arrived(Exception):  # noqa: N818  # not an error, but the end of a run
    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = values


class Pieces:
    """Knots that cut the paths of several rows, sorted by row and place; each path begins with a knot at 0 and ends with one at 1.

    Args:
        rows: The row of each knot ``(M,)``.
        places: Where on its path it lies ``(M,)``.
    """

    def __init__(self, rows: Tensor, places: Tensor) -> None:
        self.rows, self.places = rows, places

    @classmethod
    def whole(cls, rows: int, like: Tensor) -> Pieces:
        """Each path in one piece."""
        numbers = torch.arange(rows, device=like.device)
        return cls(numbers.repeat_interleave(2), torch.tensor([0.0, 1.0], dtype=like.dtype, device=like.device).repeat(rows))

    def cut(self, values: Callable[[Tensor, Tensor], Tensor], layer: nn.Module, size: int) -> Pieces:
        """Cut where a layer has corners.

        Args:
            values: What the layer gets at knots, from their rows and places ``(m,)``; linear between them.
            layer: The activation or the pooling.
            size: How many knots are looked at at once.
        """
        rows, places = [self.rows], [self.places]
        for start in range(0, len(self.rows) - 1, size):
            # The last knot of a batch is the first one of the next.
            some = slice(start, start + size + 1)
            row, place = self.rows[some], self.places[some]
            for piece, share in _crossings(layer, values(row, place), row[1:] == row[:-1]):
                rows.append(row[piece])
                places.append(place[piece] + share * (place[piece + 1] - place[piece]))
        return Pieces.sorted(torch.cat(rows), torch.cat(places))

    @property
    def middles(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row, middle and length of each piece, in order."""
        inside = self.rows[1:] == self.rows[:-1]
        lengths = self.places.diff()
        return self.rows[:-1][inside], (self.places[:-1] + lengths / 2)[inside], lengths[inside]

    @classmethod
    def sorted(cls, rows: Tensor, places: Tensor) -> Pieces:
        order = places.argsort(stable=True)
        order = order[rows[order].argsort(stable=True)]
        rows, places = rows[order], places[order]
        # Of knots at one place the first one stays, but for the end of a path.
        fresh = torch.ones_like(rows, dtype=torch.bool)
        fresh[1:] = (rows[1:] != rows[:-1]) | (places.diff() > _SHORTEST)
        end = torch.ones_like(fresh)
        end[:-1] = rows[1:] != rows[:-1]
        fresh[:-1] &= ~(end[1:] & ~fresh[1:])
        return cls(rows[fresh | end], places[fresh | end])


def _crossings(layer: nn.Module, arrived: Tensor, inside: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The pieces, by their number, on which the layer has a corner, and at which share of them.

    Args:
        layer: The activation or the pooling.
        arrived: What it gets at knots ``(m, ...)``.
        inside: Whether a knot and the next one bound a piece ``(m - 1,)``.
    """
    corners = corners_of(layer)
    for corner in corners:
        level = arrived.flatten(1) - corner
        piece, unit = _changes(level, inside)
        yield piece, _share(level, piece, unit)
    if corners:
        return
    # The maximum bends where two elements meet that are the largest there.
    windows = pool_windows(layer, arrived)
    for one in range(windows.shape[2]):
        for other in range(one + 1, windows.shape[2]):
            level = windows[..., one] - windows[..., other]
            piece, unit = _changes(level, inside)
            share = _share(level, piece, unit)
            before, after = windows[piece, unit], windows[piece + 1, unit]
            # Padding is minus infinity at both ends, and stays so.
            there = torch.where(before.isfinite(), before + share[:, None] * (after - before), before)
            highest = there.amax(1)
            top = there[:, one] >= highest - _LEVEL * (1 + highest.abs())
            yield piece[top], share[top]


def _changes(level: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """The pieces and the units whose level changes its sign there."""
    above, below = level > 0, level < 0
    changed = (above[:-1] & below[1:]) | (below[:-1] & above[1:])
    piece, unit = (changed & inside[:, None]).nonzero(as_tuple=True)
    return piece, unit


def _share(level: Tensor, piece: Tensor, unit: Tensor) -> Tensor:
    before, after = level[piece, unit], level[piece + 1, unit]
    return before / (before - after)
