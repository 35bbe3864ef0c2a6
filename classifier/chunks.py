"""Bounded memory: work on a long batch in pieces that fit."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

# Input elements a forward pass takes at once. 2**22 floats are 16 MiB; wide layers make some dozens of that.
ELEMENTS = 2**22


def chunk_size(shape: tuple[int, ...], *, elements: int = ELEMENTS) -> int:
    """How many inputs of `shape` make about `elements` numbers."""
    return max(1, elements // max(1, prod(shape)))


def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor, *, size: int | None = None) -> Tensor:
    """Apply a function of a batch in chunks, halving them when the device runs out of memory.

    Args:
        function: From ``(n, *S)`` to ``(n, *T)``, each row on its own.
        x: Inputs ``(N, *S)``.
        size: Rows a chunk; by default as many as make about four million numbers.

    Returns:
        Outputs ``(N, *T)``.
    """
    size = size or chunk_size(tuple(x.shape[1:]))
    if len(x) <= size:
        try:
            return function(x)
        except torch.OutOfMemoryError:
            if len(x) <= 1:
                raise
            size = len(x) // 2
    outputs: list[Tensor] = []
    start = 0
    while start < len(x):
        try:
            outputs.append(function(x[start : start + size]))
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            continue
        start += size
    return torch.cat(outputs)


def sum_in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The sum over all rows, in double precision, with no more than a chunk of what is added in memory.

    Args:
        function: From ``(n, *S)`` to the sum over these rows, of any shape.
        x: Inputs ``(N, *S)``.
    """
    parts = torch.split(x, chunk_size(tuple(x.shape[1:])))
    total = function(parts[0]).double()
    for part in parts[1:]:
        total += function(part)
    return total
