"""Random numbers that belong to rows: the same for a row whatever chunk it is in and whoever has left the batch.

Each number is a hash of the stream, the row and the place (the finaliser of SplitMix64; Steele et al., 2014), so that
thousands of steps draw for the rows that are left alone.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

# As signed numbers of 64 bits: 2**64 over the golden ratio, and the two factors of the mixing.
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15 - 2**64, 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64
# Bits of a float32's fraction.
_BITS = 24


def uniform_rows(rows: Tensor, stream: int, shape: tuple[int, ...], step: int | Tensor = 0) -> Tensor:
    """Numbers in [0, 1) for each row ``(n, *shape)``, float32.

    Args:
        rows: What each row is called ``(n,)``, int64.
        stream: What the numbers are for, as `Seed.integer` gives it.
        shape: Shape of what a row gets.
        step: Which draw of the stream, one for all rows or one for each ``(n,)``.
    """
    places = torch.arange(1, 1 + prod(shape), device=rows.device)
    # Each name is mixed in before the next is added: the next row's numbers, or stream's, are not this one's next.
    bits = _mixed(_mixed(rows) ^ _signed(stream)) + torch.as_tensor(step, device=rows.device) * _STEP
    bits = _mixed(_mixed(bits)[:, None] + places * _STEP)
    return (_shifted(bits, 64 - _BITS).float() / 2**_BITS).reshape(len(rows), *shape)


def normal_rows(rows: Tensor, stream: int, shape: tuple[int, ...], step: int | Tensor = 0) -> Tensor:
    """Standard normal numbers for each row ``(n, *shape)``, float32; see `uniform_rows`."""
    uniform = uniform_rows(rows, stream, shape, step)
    # Half a step away from 0, where the quantile is infinite.
    return torch.special.ndtri(uniform + 0.5 / 2**_BITS)


def _mixed(bits: Tensor) -> Tensor:
    bits = (bits ^ _shifted(bits, 30)) * _FIRST
    bits = (bits ^ _shifted(bits, 27)) * _SECOND
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """Shifted to the right with zeros, where torch would repeat the sign."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def _signed(value: int) -> int:
    """The signed 64-bit integer of the same bits."""
    value %= 2**64
    return value - 2**64 if value >= 2**63 else value
