"""The payload of a sealed file on disk, opened at any place and by several threads (c2sp.org/age, "Payload")."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BufferedWriter

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from audit.vault.age.failure import OpeningError
from audit.vault.age.stream import AT_ONCE, CHUNK, TAG, Sink, nonce
from audit.vault.age.threads import share_out

SEALED = CHUNK + TAG
#: Plaintext that one thread opens at once.
BLOCK = AT_ONCE * CHUNK
#: First byte of a stretch of plaintext, and the byte after its last.
Stretch = tuple[int, int]


class Payload:
    """Chunks on disk, opened where they are needed.

    The last one is opened first, so that a file which was cut at the edge of a chunk is found before anything of it is used.

    Args:
        descriptor: The sealed file, open for reading and no pipe. It is read by place, so threads may share it.
        start: Where the chunks begin.
        key: Payload key ``(32 bytes)``.

    Raises:
        OpeningError: If the last chunk is missing, was changed, or is no last one.
    """

    def __init__(self, descriptor: int, start: int, key: bytes) -> None:
        self._descriptor, self._start, self._cipher = descriptor, start, ChaCha20Poly1305(key)
        self._length = os.fstat(descriptor).st_size - start
        self._chunks = max(1, -(-self._length // SEALED))
        last = self._length - (self._chunks - 1) * SEALED - TAG
        # The last chunk is empty only where the whole payload is: there is one way to cut a payload.
        if last < 0 or (last == 0 and self._chunks > 1):
            raise OpeningError("payload failure")
        #: Bytes of plaintext.
        self.size = self._length - self._chunks * TAG
        self._open(self._chunks - 1, self._read(self._chunks - 1, memoryview(bytearray(last + TAG))), memoryview(bytearray(last)))

    def opener(self) -> Callable[[memoryview, int], None]:
        """What fills a buffer with plaintext from some place on. It has buffers of its own: every thread needs one.

        What it fills raises `OpeningError` if any of it was changed, and is not to be used then.
        """
        scratch, spare = memoryview(bytearray(AT_ONCE * SEALED)), memoryview(bytearray(CHUNK))

        def fill(buffer: memoryview, start: int) -> None:
            end = start + len(buffer)
            for first in range(start // CHUNK, -(-end // CHUNK), AT_ONCE):
                stop = min(first + AT_ONCE, -(-end // CHUNK))
                sealed = self._read(first, scratch[: min(stop * SEALED, self._length) - first * SEALED])
                for chunk in range(first, stop):
                    part = sealed[(chunk - first) * SEALED :][:SEALED]
                    begin, size = chunk * CHUNK, len(part) - TAG
                    low, high = max(start, begin), min(end, begin + size)
                    if high - low == size:
                        self._open(chunk, part, buffer[low - start : high - start])
                    else:
                        self._open(chunk, part, spare[:size])
                        buffer[low - start : high - start] = spare[low - begin : high - begin]

        return fill

    def read_into(self, buffer: memoryview, start: int = 0) -> None:
        """Fill `buffer` with plaintext from `start` on, in several threads.

        Raises:
            OpeningError: If any of it was changed. The buffer is not to be used then.
        """

        def worker() -> Callable[[Stretch], None]:
            fill = self.opener()
            return lambda stretch: fill(buffer[stretch[0] - start : stretch[1] - start], stretch[0])

        share_out(blocks(start, start + len(buffer)), worker)

    def verify(self) -> None:
        """Open every chunk, in several threads, and keep none of it.

        Raises:
            OpeningError: If any of it was changed.
        """

        def worker() -> Callable[[Stretch], None]:
            fill, scratch = self.opener(), memoryview(bytearray(BLOCK))
            return lambda stretch: fill(scratch[: stretch[1] - stretch[0]], stretch[0])

        share_out(blocks(0, self.size), worker)

    def copy(self, sink: Sink) -> None:
        """Write all of the plaintext, in constant memory.

        Raises:
            OpeningError: If any of it was changed. What was written until then is a verified beginning.
        """
        fill, buffer = self.opener(), memoryview(bytearray(BLOCK))
        for start, end in blocks(0, self.size):
            fill(buffer[: end - start], start)
            sink.write(buffer[: end - start])

    def extract(self, file: BufferedWriter) -> None:
        """Write all of the plaintext into an empty file that is no pipe, in several threads.

        Raises:
            OpeningError: If any of it was changed. What is in the file then is not to be used.
        """
        descriptor = file.fileno()

        def worker() -> Callable[[Stretch], None]:
            fill, scratch = self.opener(), memoryview(bytearray(BLOCK))

            def extract(stretch: Stretch) -> None:
                plain = scratch[: stretch[1] - stretch[0]]
                fill(plain, stretch[0])
                write_at(descriptor, plain, stretch[0])

            return extract

        share_out(blocks(0, self.size), worker)

    def read(self, most: int | None = None) -> bytes:
        """All of the plaintext.

        Raises:
            OpeningError: If any of it was changed, or it is longer than `most` bytes: what is inside is a stranger's until it is verified.
        """
        if most is not None and self.size > most:
            raise OpeningError("payload failure")
        content = bytearray(self.size)
        self.read_into(memoryview(content))
        return bytes(content)

    def digest(self) -> str:
        """SHA-256 of the sealed file, header and all, in hexadecimal: of the very file that is open, whatever bears its name by now."""
        return hash_file(self._descriptor)

    def _read(self, chunk: int, buffer: memoryview) -> memoryview:
        """The sealed bytes from a chunk on."""
        filled = 0
        while filled < len(buffer):
            count = os.preadv(self._descriptor, [buffer[filled:]], self._start + chunk * SEALED + filled)
            if count == 0:  # the file was cut since it was opened
                raise OpeningError("payload failure")
            filled += count
        return buffer

    def _open(self, chunk: int, sealed: memoryview, plain: memoryview) -> None:
        try:
            self._cipher.decrypt_into(nonce(chunk, chunk == self._chunks - 1), sealed, None, plain)
        except InvalidTag:
            # What did not verify stands in the buffer all the same.
            plain[:] = bytes(len(plain))
            raise OpeningError("payload failure") from None


def blocks(start: int, end: int) -> Iterator[Stretch]:
    """Cut a stretch of plaintext where blocks do, so that no chunk is opened twice."""
    while start < end:
        stop = min(start - start % BLOCK + BLOCK, end)
        yield start, stop
        start = stop


def hash_file(descriptor: int) -> str:
    """SHA-256 of an open file that is no pipe, in hexadecimal, in constant memory and wherever it was read to."""
    found, buffer, at = sha256(), memoryview(bytearray(BLOCK)), 0
    while count := os.preadv(descriptor, [buffer], at):
        found.update(buffer[:count])
        at += count
    return found.hexdigest()


def write_at(descriptor: int, data: memoryview, at: int) -> None:
    """Write all of `data` at a place of an open file."""
    while data:
        count = os.pwritev(descriptor, [data], at)
        data, at = data[count:], at + count
