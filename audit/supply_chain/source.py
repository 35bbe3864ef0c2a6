"""Sources: byte ranges that are read piece by piece, so that a file of any length is looked at in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import BinaryIO

# Bytes that are read at once: few calls, and little memory.
BLOCK = 1 << 20


class Source:
    """A range of a file that can be read anywhere and never grows.

    Args:
        file: An open binary file that can seek.
        begin: Where the range begins in it.
        size: Bytes of the range.
    """

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file = file
        self._begin = begin
        self.size = size

    def read_at(self, offset: int, count: int) -> bytes:
        """The bytes from `offset` on: `count`, or as many as there are."""
        count = min(count, self.size - offset)
        if offset < 0 or count <= 0:
            return b""
        self._file.seek(self._begin + offset)
        return self._file.read(count)

    def blocks(self, begin: int = 0, end: int | None = None, *, block: int = BLOCK) -> Iterator[bytes]:
        """The bytes from `begin` to `end`, a block at a time."""
        end = self.size if end is None else min(end, self.size)
        while begin < end:
            content = self.read_at(begin, min(block, end - begin))
            if not content:
                return  # the file was cut while it was read
            yield content
            begin += len(content)

    def window(self, begin: int, size: int) -> Source:
        """The part of it from `begin` on, `size` bytes or as many as there are."""
        begin = min(max(begin, 0), self.size)
        return Source(self._file, self._begin + begin, max(0, min(size, self.size - begin)))

    def reader(self) -> Reader:
        """It as a file to read from its start."""
        return Reader(self)


class Reader(RawIOBase):
    """A source as a binary file."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._place = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes, or all that is left."""
        left = self._source.size - self._place
        content = self._source.read_at(self._place, left if size is None or size < 0 else size)
        self._place += len(content)
        return content

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go to a place."""
        self._place = max(0, {SEEK_SET: 0, SEEK_CUR: self._place, SEEK_END: self._source.size}[whence] + offset)
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place
