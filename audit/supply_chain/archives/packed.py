"""Packed bytes, unpacked piece by piece into a place of bounded size."""

from __future__ import annotations

import bz2
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from audit.supply_chain.look import Look
from audit.supply_chain.source import Source

# What comes out is at most this many times as long as what goes in, once it is longer than `ALWAYS`: deflate reaches
# 1032, and only what is empty of content, such as an array of zeros, comes near it.
RATIO, ALWAYS = 200, 512 << 20
IN_MEMORY = 16 << 20
# Dictionaries of LZMA may claim 4 GiB.
_LZMA_MEMORY = 256 << 20
_CHUNK, _PIECE = 1 << 16, 1 << 20


class BombError(Exception):
    """More comes out than should."""


class DamagedError(Exception):
    """What is packed does not follow its format."""


def unpack(source: Source, make: Callable[[], Any], look: Look, *, several: bool = False) -> Iterator[bytes]:
    """What comes out, a piece at a time.

    Args:
        source: What is packed.
        make: Makes an unpacker of zlib, bz2 or lzma.
        look: Whose budget it comes out of.
        several: Whether streams may follow one another, as of gzip.

    Raises:
        BombError: If more comes out than the budget, or the ratio, allows.
        DamagedError: If it is malformed or cut.
    """
    came, ended, consumed = 0, False, 0
    try:
        unpacker = make()
        for block in source.blocks(block=_CHUNK):
            consumed += len(block)
            while block:
                if ended:
                    if not several:
                        raise DamagedError(f"{len(block) + source.size - consumed} bytes follow its end")
                    unpacker, ended = make(), False
                for piece in _pieces(unpacker, block):
                    came += len(piece)
                    look.budget.bytes -= len(piece)
                    if look.budget.bytes < 0 or (came > ALWAYS and came > RATIO * consumed):
                        raise BombError(f"{consumed} bytes unpack to more than {came}")
                    yield piece
                ended = unpacker.eof
                block = unpacker.unused_data if ended else b""
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError, MemoryError) as error:
        raise DamagedError(f"it cannot be unpacked: {error}") from None
    if not ended:
        raise DamagedError("it ends before its end")


def _pieces(unpacker: Any, block: bytes) -> Iterator[bytes]:
    """What one block unpacks to, never more than a piece at once."""
    if hasattr(unpacker, "unconsumed_tail"):
        while block:
            yield unpacker.decompress(block, _PIECE)
            block = unpacker.unconsumed_tail
            # Where all is consumed, more may still wait inside.
        while not unpacker.eof and (piece := unpacker.decompress(b"", _PIECE)):
            yield piece
        return
    yield unpacker.decompress(block, _PIECE)
    while not unpacker.eof and not unpacker.needs_input:
        yield unpacker.decompress(b"", _PIECE)


@contextmanager
def spooled(pieces: Iterator[bytes]) -> Iterator[Source]:
    """What comes out as a source: in memory while it is short, else in a file without a name."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        for piece in pieces:
            file.write(piece)
        size = file.tell()
        yield Source(cast("BinaryIO", file), 0, size)


STREAMS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": lambda: zlib.decompressobj(15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY),
}


def look_into_stream(look: Look, kind: str) -> None:
    """A file packed as a whole."""
    name = look.name.removesuffix(".tgz") + ".tar" if look.name.endswith(".tgz") else look.name
    name = name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz").removesuffix(".lzma").removesuffix(".z")
    try:
        with spooled(unpack(look.source, STREAMS[kind], look, several=kind in ("gzip", "bzip2", "xz"))) as source:
            look.into(look.inside(name, source, shown="(unpacked)"))
    except BombError as error:
        look.unseen("archive.bomb", str(error))
    except DamagedError as error:
        look.unseen("archive.damaged", str(error))
