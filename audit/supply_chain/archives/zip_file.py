"""Zip archives: every member, and every byte that belongs to none."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from audit.supply_chain.archives.names import check_mode, check_path, check_repetitions
from audit.supply_chain.archives.packed import BombError, DamagedError, spooled, unpack
from audit.supply_chain.archives.zip_directory import END, Directory, Member, UnreadableError, data_of, find_end, read_directory
from audit.supply_chain.look import DEEPEST, Look, harmless, printable
from audit.supply_chain.source import Source

STORED = 0
_UNPACKERS: dict[int, Callable[[], Any]] = {8: lambda: zlib.decompressobj(-15), 12: bz2.BZ2Decompressor}
_DESCRIPTOR = (12, 16, 20, 24)


def read_members(look: Look) -> Directory | None:
    """The directory of an archive; ``None``, and a finding, where there is none that can be read."""
    end = find_end(look.source)
    if end is None:
        look.unseen("zip.malformed", "it begins like a zip archive and has no directory")
        return None
    try:
        return read_directory(look.source, end)
    except UnreadableError as error:
        look.unseen("zip.malformed", str(error))
        return None


def look_into_zip(look: Look, directory: Directory) -> None:
    """Look into every member, and hold names, sizes, checksums and places against each other."""
    if look.depth >= DEEPEST:
        look.unseen("archive.deep", f"it lies in {look.depth} archives, and was not looked into")
        return
    names = [member.name.decode("utf-8", "backslashreplace") for member in directory.members]
    check_repetitions(look, names)
    if sum(member.packed for member in directory.members) > look.source.size:
        look.unseen("zip.malformed", "members of it lie over one another, and were not looked into")
        return
    extents: list[tuple[int, int]] = []
    for name, member in zip(names, directory.members, strict=True):
        look.budget.members -= 1
        if look.budget.members < 0:
            look.unseen("archive.bomb", "it holds more members than are looked at")
            return
        check_path(look, name)
        check_mode(look, name, member.mode)
        try:
            begin, wrong = data_of(look.source, directory, member)
        except UnreadableError as error:
            look.unseen("zip.malformed", f"{printable(name)!r}: {error}")
            continue
        if wrong is not None:
            look.find("zip.malformed", f"{printable(name)!r}: its own header contradicts the directory about {wrong}")
        extents.append((directory.base + member.header, begin + member.packed))
        if begin + member.packed > directory.start:
            look.unseen("zip.malformed", f"{printable(name)!r} reaches beyond the members' part of the archive")
        elif not name.endswith("/") or member.size:
            _member(look, name, member, look.source.window(begin, member.packed))
    _places(look, directory, extents, [bool(member.flags & 8) for member in directory.members])


def member_source(source: Source, directory: Directory, member: Member) -> Source | None:
    """The bytes of a member that is not packed; ``None`` of any other."""
    try:
        begin, _ = data_of(source, directory, member)
    except UnreadableError:
        return None
    return source.window(begin, member.size) if member.method == STORED and not member.encrypted else None


def _member(look: Look, name: str, member: Member, packed: Source) -> None:
    inside = look.inside(name, packed, shown=harmless(name))
    if member.encrypted:
        inside.unseen("archive.encrypted", "it is encrypted")
    elif member.method == STORED:
        if member.size != member.packed:
            inside.find("archive.damaged", f"it has {member.packed} bytes, and the directory says {member.size}")
        if _crc(packed.blocks()) != member.crc:
            inside.find("archive.damaged", "its checksum is another")
        look.into(inside)
    elif member.method in _UNPACKERS or member.method == 14:
        try:
            _unpacked(look, inside, member, packed)
        except BombError as error:
            inside.unseen("archive.bomb", str(error))
        except DamagedError as error:
            inside.unseen("archive.damaged", str(error))
    else:
        inside.unseen("archive.opaque", f"it is packed by method {member.method}")


def _unpacked(look: Look, inside: Look, member: Member, packed: Source) -> None:
    if member.method == 14:
        unpacker, packed = _lzma(packed)
    else:
        unpacker = _UNPACKERS[member.method]
    crc, size = 0, 0

    def pieces() -> Iterator[bytes]:
        nonlocal crc, size
        for piece in unpack(packed, unpacker, look):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            yield piece

    with spooled(pieces()) as source:
        if (crc, size) != (member.crc, member.size):
            inside.find("archive.damaged", f"it has {size} bytes of another checksum, or the directory's {member.size} are wrong")
        look.into(inside.reading(source))


def _lzma(packed: Source) -> tuple[Callable[[], Any], Source]:
    """LZMA as zip has it: version, length of the properties, the properties, then a raw stream (APPNOTE 5.8.8)."""
    head = packed.read_at(0, 9)
    if len(head) < 9 or head[2:4] != b"\x05\x00" or head[4] >= 225:
        raise DamagedError("its LZMA properties are malformed")
    size = int.from_bytes(head[5:9], "little")
    if size > 256 << 20:
        raise DamagedError(f"it asks for a dictionary of {size} bytes")
    lc, rest = head[4] % 9, head[4] // 9
    chain = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": rest % 5, "pb": rest // 5, "dict_size": max(size, 4096)}]
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain), packed.window(9, packed.size)


def _crc(pieces: Iterator[bytes]) -> int:
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    return crc


def _places(look: Look, directory: Directory, extents: list[tuple[int, int]], described: list[bool]) -> None:
    """Members that overlap, and bytes before, between and behind them that belong to none."""
    allowed = _DESCRIPTOR if any(described) else ()
    if directory.base:
        look.find("zip.polyglot", f"{directory.base} bytes stand before the archive", 0)
    place = directory.base
    for begin, end in [*sorted(extents), (directory.start, directory.start)]:
        if begin < place:
            look.find("zip.malformed", "members of it lie over one another", begin)
        elif begin > place and (begin - place not in allowed or place == directory.base):
            look.find("zip.polyglot", f"{begin - place} bytes of the archive belong to no member", place)
        place = max(place, end)
    if END in look.source.read_at(directory.end - directory.comment, directory.comment):
        look.find("zip.malformed", "its comment holds the end of another archive", directory.end - directory.comment)
    if directory.end < look.source.size:
        look.find("zip.polyglot", f"{look.source.size - directory.end} bytes stand behind the archive", directory.end)
