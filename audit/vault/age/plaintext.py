"""Plaintext in pieces, in memory and on disk, read as if it were one file."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from classifier.errors import IntegrityError


class Piece(Protocol):
    """Bytes that are read by place, by several threads at once."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def read_into(self, buffer: memoryview, start: int, /) -> None:
        """Fill `buffer` from `start` on."""
        ...


@dataclass(frozen=True)
class OnDisk:
    """A stretch of an open file.

    Args:
        descriptor: The file, open for reading and no pipe.
        start: Its first byte.
        size: How many bytes.
        name: What the file is called in an error.
    """

    descriptor: int
    start: int
    size: int
    name: str

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill `buffer` from `start` on.

        Raises:
            IntegrityError: If the file became shorter since its size was asked.
        """
        filled = 0
        while filled < len(buffer):
            count = os.preadv(self.descriptor, [buffer[filled:]], self.start + start + filled)
            if count == 0:
                raise IntegrityError(f"{self.name} was cut while it was read", remedy="wait until nothing writes to it, then try again")
            filled += count


class Plaintext:
    """Pieces that follow one another.

    Args:
        pieces: Bytes in memory, which must not change while they are read, and what is read by place.
    """

    def __init__(self, pieces: Sequence[memoryview | Piece]) -> None:
        self._pieces = [piece.cast("B") if isinstance(piece, memoryview) else piece for piece in pieces]
        sizes = [len(piece) if isinstance(piece, memoryview) else piece.size for piece in self._pieces]
        self._starts = list(accumulate(sizes, initial=0))
        #: Bytes of all pieces together.
        self.size = self._starts.pop()

    def view(self, start: int, end: int, scratch: memoryview) -> memoryview:
        """The bytes from `start` to `end`: where they lie if they lie together in memory, else copied into `scratch`."""
        index = bisect_right(self._starts, start) - 1
        piece, begin = self._pieces[index], self._starts[index]
        if isinstance(piece, memoryview) and end - begin <= len(piece):
            return piece[start - begin : end - begin]
        filled = 0
        while filled < end - start:
            piece, at = self._pieces[index], start + filled - self._starts[index]
            size = len(piece) if isinstance(piece, memoryview) else piece.size
            count = min(size - at, end - start - filled)
            if isinstance(piece, memoryview):
                scratch[filled : filled + count] = piece[at : at + count]
            else:
                piece.read_into(scratch[filled : filled + count], at)
            filled, index = filled + count, index + 1
        return scratch[:filled]
