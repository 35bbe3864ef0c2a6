"""The bytes of a pickle, read forward, without ever holding more of them than a name needs."""

from __future__ import annotations

from audit.supply_chain.source import BLOCK, Source

# A longer name imports nothing that a model is made of.
LONGEST = 512


class MalformedError(Exception):
    """The pickle does not follow the protocol, so that nobody can say what its next byte means."""


class Stream:
    """Bytes of a source from a place on.

    Args:
        source: Where they are.
        place: The first of them.
    """

    __slots__ = ("_begin", "_block", "_next", "size", "source")

    def __init__(self, source: Source, place: int = 0) -> None:
        self.source = source
        self.size = source.size
        self._begin, self._block, self._next = place, b"", 0

    @property
    def place(self) -> int:
        """The next byte that will be read."""
        return self._begin + self._next

    def byte(self) -> int:
        """The next byte."""
        if self._next >= len(self._block):
            self._fill()
        value = self._block[self._next]
        self._next += 1
        return value

    def take(self, count: int) -> bytes:
        """The next few bytes, at most `LONGEST`.

        Raises:
            MalformedError: If the file ends before.
        """
        end = self._next + count
        if end <= len(self._block):
            content = self._block[self._next : end]
            self._next = end
            return content
        content = self.source.read_at(self.place, count)
        if len(content) < count:
            raise MalformedError(f"it ends {count - len(content)} bytes before an argument does")
        self.go(self.place + count)
        return content

    def skip(self, count: int) -> None:
        """Pass over bytes unread, however many a pickle claims.

        Raises:
            MalformedError: If the file ends before.
        """
        end = self._next + count
        if end <= len(self._block):
            self._next = end
            return
        if self.place + count > self.size:
            raise MalformedError(f"it claims {count} bytes where {self.size - self.place} are left")
        self.go(self.place + count)

    def line(self) -> bytes | None:
        """The bytes up to the next newline, which is passed over; ``None`` where they are too many for a name.

        Raises:
            MalformedError: If the file ends before.
        """
        start = self.place
        while True:
            if self._next >= len(self._block):
                self._fill()
            found = self._block.find(b"\n", self._next)
            if found >= 0:
                begin, self._next = self._next, found + 1
                length = self.place - 1 - start
                if length > LONGEST:
                    return None
                return self._block[begin:found] if length == found - begin else self.source.read_at(start, length)
            self._next = len(self._block)

    def _fill(self) -> None:
        self.go(self.place)
        # A short look is likely at first; long pickles are read in large blocks.
        self._block = self.source.read_at(self._begin, BLOCK if self._begin else 1 << 16)
        if not self._block:
            raise MalformedError("it ends without a STOP")

    def go(self, place: int) -> None:
        """Read on at a place."""
        self._begin, self._block, self._next = place, b"", 0
