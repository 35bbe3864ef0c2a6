"""The payload of a sealed file: chunks of 64 KiB, each sealed on its own (c2sp.org/age, "Payload"; STREAM, Hoang et al., 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from audit.vault.age.failure import OpeningError

CHUNK, TAG = 1 << 16, 16
# Chunks that are read and written at once: a system call a chunk costs more than its cipher.
AT_ONCE = 16


class Source(Protocol):
    """A binary file to read from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read up to the buffer's size; 0 at the end."""
        ...


class Sink(Protocol):
    """A binary file to write to, which takes all that it is given."""

    def write(self, data: memoryview, /) -> int:
        """Write all of `data`."""
        ...


def encrypt_stream(source: Source, sink: Sink, key: bytes) -> None:
    """Encrypt all of `source` to `sink`, in constant memory.

    Args:
        source: The plaintext.
        sink: Takes the chunks.
        key: Payload key ``(32 bytes)``; it must never have encrypted anything before.
    """
    cipher = ChaCha20Poly1305(key)
    sealed = memoryview(bytearray(AT_ONCE * (CHUNK + TAG)))
    counter = 0
    for block, last in _blocks(source, AT_ONCE * CHUNK):
        filled = 0
        for chunk, final in _chunks(block, CHUNK, last):
            end = filled + len(chunk) + TAG
            cipher.encrypt_into(nonce(counter, final), chunk, None, sealed[filled:end])
            filled, counter = end, counter + 1
        sink.write(sealed[:filled])


def decrypt_stream(source: Source, sink: Sink, key: bytes) -> None:
    """Decrypt all of `source` to `sink`, in constant memory.

    Only chunks that verified are written, in their order. Until this returns, they may be the beginning
    of a file that was cut: use none of them before.

    Args:
        source: The chunks, to their end.
        sink: Takes the plaintext.
        key: Payload key ``(32 bytes)``.

    Raises:
        OpeningError: If a chunk was changed, moved, dropped, repeated or added, or the last one is missing.
    """
    cipher = ChaCha20Poly1305(key)
    plain = memoryview(bytearray(AT_ONCE * CHUNK))
    counter = 0
    for block, last in _blocks(source, AT_ONCE * (CHUNK + TAG)):
        filled = 0
        try:
            for chunk, final in _chunks(block, CHUNK + TAG, last):
                # A final chunk is empty only where the whole payload is: there is one way to cut a payload.
                if len(chunk) < TAG or (len(chunk) == TAG and counter > 0):
                    raise OpeningError("payload failure")
                end = filled + len(chunk) - TAG
                cipher.decrypt_into(nonce(counter, final), chunk, None, plain[filled:end])
                filled, counter = end, counter + 1
        except InvalidTag:
            # What did not verify stands in the buffer all the same.
            plain[filled : filled + CHUNK] = bytes(CHUNK)
            raise OpeningError("payload failure") from None
        finally:
            sink.write(plain[:filled])


def nonce(counter: int, final: bool) -> bytes:
    """The nonce of a chunk ``(12 bytes)``: its number, and whether it is the last one."""
    return counter.to_bytes(11) + bytes([final])


def fill(source: Source, buffer: memoryview) -> int:
    """Read until `buffer` is full or `source` is at its end.

    Returns:
        How many bytes were read.
    """
    filled = 0
    while filled < len(buffer) and (count := source.readinto(buffer[filled:])):
        filled += count
    return filled


def _blocks(source: Source, size: int) -> Iterator[tuple[memoryview, bool]]:
    """Cut `source` into blocks of `size` bytes, each with whether it is the last; the next one overwrites it.

    An empty source is one empty block.
    """
    # One byte more than a block tells whether anything follows it.
    buffer = memoryview(bytearray(size + 1))
    held = 0
    while True:
        held += fill(source, buffer[held:])
        if held <= size:
            yield buffer[:held], True
            return
        yield buffer[:size], False
        buffer[0] = buffer[size]
        held = 1


def _chunks(block: memoryview, size: int, last: bool) -> Iterator[tuple[memoryview, bool]]:
    """Cut a block into chunks of `size` bytes, each with whether it is the last of all."""
    for start in range(0, max(1, len(block)), size):
        yield block[start : start + size], last and start + size >= len(block)
