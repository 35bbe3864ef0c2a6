"""The armoured form of a sealed file: base64 between two marks, in lines of 64 columns (c2sp.org/age, "ASCII armor"; RFC 7468)."""

from __future__ import annotations

import binascii
import struct
from io import BufferedReader

from audit.vault.age.container import Sealed
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import VERSION
from audit.vault.age.stream import Sink, Source, fill

BEGIN, END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
COLUMNS, BYTES = 64, 48
# As much white space as may stand before, and after.
MOST_SPACE = 1024
# Lines that are read and written at once.
AT_ONCE = 1024


def open_form(source: BufferedReader) -> Sealed:
    """A sealed file in either form, to read as if it were binary.

    A binary file starts with the first letter of its version, an armoured one never does: one byte tells, also in a pipe.

    Args:
        source: The file, at its start.

    Returns:
        `source` itself if it is binary, else a reader of what is in the armour.
    """
    return source if VERSION.startswith(source.peek(1)[:1]) else ArmorReader(source)


class ArmorReader:
    """What is in the armour, in constant memory, exactly as the format wants it.

    Raises:
        OpeningError: While it is read, if anything is in another form, or follows the end.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._raw = memoryview(bytearray((COLUMNS + 1) * AT_ONCE))
        self._rest = b""
        self._source_ended = False
        self._begun = self._last_line = self._ended = False
        self._plain, self._at = b"", 0

    def readline(self, size: int, /) -> bytes:
        """The next line with its end, or as much of it as `size` bytes hold."""
        line = bytearray()
        while len(line) < size and not line.endswith(b"\n") and self._fill():
            most = self._at + size - len(line)
            line += self._take(self._plain.find(b"\n", self._at, most) + 1 or most)
        return bytes(line)

    def readinto(self, buffer: memoryview, /) -> int:
        """Read up to the buffer's size; 0 at the end."""
        if not self._fill():
            return 0
        taken = self._take(self._at + len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def _take(self, end: int) -> memoryview:
        taken = memoryview(self._plain)[self._at : end]
        self._at += len(taken)
        return taken

    def _fill(self) -> bool:
        """Have something decoded at hand, unless the end was reached."""
        while self._at == len(self._plain) and not self._ended:
            self._plain, self._at = self._decoded(self._lines()), 0
        return self._at < len(self._plain)

    def _lines(self) -> bytes:
        """Some more lines, each ended by LF alone; the very last may lack its end."""
        if self._source_ended:
            raise OpeningError("armor failure")
        count = fill(self._source, self._raw)
        self._source_ended = count < len(self._raw)
        raw = self._rest + self._raw[:count]
        cut = len(raw) if self._source_ended else raw.rfind(b"\n") + 1
        self._rest = raw[cut:]
        if len(self._rest) > MOST_SPACE:
            raise OpeningError("armor failure")
        lines = raw[:cut]
        return lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines

    def _decoded(self, block: bytes) -> bytes:
        # Nearly all blocks are full lines and nothing else, which are decoded in one go.
        count, odd = divmod(len(block), COLUMNS + 1)
        text = block.replace(b"\n", b"")
        full = not odd and len(text) == COLUMNS * count and block[COLUMNS :: COLUMNS + 1] == b"\n" * count
        if full and self._begun and not self._last_line and b"=" not in text:
            return _decode(text)  # groups of four without padding have one form only
        return self._by_line(block)

    def _by_line(self, block: bytes) -> bytes:
        decoded = bytearray()
        start = 0
        while start < len(block) and not self._ended:
            end = block.find(b"\n", start)
            end = len(block) if end < 0 else end
            line, start = block[start:end], end + 1
            if not self._begun:
                self._begin(line, start)
            elif line == END:
                self._end(block[start:])
            elif self._last_line or not 1 <= len(line) <= COLUMNS:
                raise OpeningError("armor failure")
            else:
                data = _decode(line)
                if binascii.b2a_base64(data, newline=False) != line:
                    raise OpeningError("armor failure")
                # A line that is not full, or padded, is the last.
                self._last_line = len(data) < BYTES
                decoded += data
        return bytes(decoded)

    def _begin(self, line: bytes, consumed: int) -> None:
        self._begun = line == BEGIN
        if not self._begun and (line.strip() or consumed > MOST_SPACE):
            raise OpeningError("armor failure")

    def _end(self, after: bytes) -> None:
        """Nothing but some white space comes after the end."""
        self._ended = True
        after += self._rest
        while not self._source_ended and len(after) <= MOST_SPACE:
            count = fill(self._source, self._raw)
            self._source_ended = count < len(self._raw)
            after += self._raw[:count]
        if len(after) > MOST_SPACE or after.strip():
            raise OpeningError("armor failure")


class ArmorWriter:
    """Takes a binary sealed file, and writes it in its armour. The last line is written by `close`.

    Args:
        sink: Takes the text.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting = bytearray()
        sink.write(memoryview(BEGIN + b"\n"))

    def write(self, data: memoryview, /) -> int:
        """Write all of `data`."""
        self._waiting += data
        full = len(self._waiting) - len(self._waiting) % BYTES
        self._write_lines(full)
        return len(data)

    def close(self) -> None:
        """Write the last line and the end. The sink stays open."""
        self._write_lines(len(self._waiting))
        self._sink.write(memoryview(END + b"\n"))

    def _write_lines(self, size: int) -> None:
        with memoryview(self._waiting) as waiting:
            for start in range(0, size, BYTES * AT_ONCE):
                text = binascii.b2a_base64(waiting[start : min(size, start + BYTES * AT_ONCE)], newline=False)
                # In one call, which takes a tenth of the time of cutting the lines one by one.
                rows, last = divmod(len(text), COLUMNS)
                lines = struct.unpack(f"{COLUMNS}s" * rows + f"{last}s" * (last > 0), text)
                self._sink.write(memoryview(b"\n".join([*lines, b""])))
        del self._waiting[:size]


def _decode(text: bytes) -> bytes:
    """Read padded base64 (RFC 4648, section 4), of which bits that stand for nothing may be set."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise OpeningError("armor failure") from None
