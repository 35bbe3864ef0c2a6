"""The directory of a zip archive, read twice: at its end and before each member (PKWARE APPNOTE 6.3.10)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from audit.supply_chain.source import Source

END, END_64, LOCATOR_64, CENTRAL, LOCAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02", b"PK\x03\x04"
# A comment has at most this many bytes, so the end lies no farther back.
_COMMENT = 0xFFFF
_NONE_16, _NONE_32 = 0xFFFF, 0xFFFFFFFF
MOST_MEMBERS = 200_000
_UNIX = 3


class UnreadableError(Exception):
    """It has no directory that two programs would read alike."""


@dataclass(frozen=True)
class Member:
    """One member, as the directory at the end describes it.

    Args:
        name: Its name, in bytes.
        flags: General purpose flags.
        method: How it is packed.
        crc: CRC-32 of its content.
        packed: Bytes that it takes.
        size: Bytes of its content.
        mode: Its Unix mode; 0 where it has none.
        header: Where its own header begins.
    """

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    header: int

    @property
    def encrypted(self) -> bool:
        """Whether a key is needed."""
        return bool(self.flags & 0x2041)


@dataclass(frozen=True)
class Directory:
    """Where an archive lies in a file, and what is in it.

    Args:
        members: In the order of the directory.
        base: What is to be added to every offset: bytes before the archive.
        start: Where the directory begins.
        end: The byte after the archive.
        comment: Bytes of its comment, which are its last.
    """

    members: tuple[Member, ...]
    base: int
    start: int
    end: int
    comment: int


def find_end(source: Source) -> int | None:
    """Where the last record of an archive begins, of which the comment reaches to the end of the file; ``None`` without one.

    One whose comment leaves bytes behind it counts too, as it does for programs that look for it from behind.
    """
    begin = max(0, source.size - _COMMENT - 22)
    tail = source.read_at(begin, source.size - begin)
    place = len(tail)
    while (place := tail.rfind(END, 0, place)) >= 0:
        if len(tail) - place >= 22 and 22 + struct.unpack_from("<H", tail, place + 20)[0] <= len(tail) - place:
            return begin + place
    return None


def read_directory(source: Source, end: int) -> Directory:
    """Read the directory that the record at `end` points to.

    Raises:
        UnreadableError: If it is not where it should be, or malformed.
    """
    record = source.read_at(end, 22)
    disk, first, here, count, length, offset, comment = struct.unpack("<4H2IH", record[4:])
    finish, stop = end + 22 + comment, end
    if source.read_at(end - 20, 4) == LOCATOR_64:
        _, place, _ = struct.unpack("<IQI", source.read_at(end - 16, 16))
        # Bytes before the archive shift everything but what the archive says of itself.
        for candidate in (place, end - 20 - 56):
            wide = source.read_at(candidate, 56)
            if wide[:4] == END_64:
                count_64, length_64, offset_64 = struct.unpack("<3Q", wide[32:56])
                for short, long, none in ((count, count_64, _NONE_16), (length, length_64, _NONE_32), (offset, offset_64, _NONE_32)):
                    if short not in (none, long):
                        raise UnreadableError("its two records of the end disagree")
                count, length, offset, stop = count_64, length_64, offset_64, candidate
                disk = first = 0
                here = count & _NONE_16
                break
        else:
            raise UnreadableError("its 64-bit record of the end is not where it says")
    elif _NONE_32 in (length, offset) or count == _NONE_16:
        raise UnreadableError("its record of the end points to a 64-bit one that is not there")
    if disk or first or here != count & _NONE_16:
        raise UnreadableError("it claims to lie on several disks")
    start = stop - length
    base = start - offset
    if start < 0 or base < 0:
        raise UnreadableError(f"its directory of {length} bytes at {offset} does not lie before its end")
    if count > MOST_MEMBERS:
        raise UnreadableError(f"it claims {count} members, and more than {MOST_MEMBERS} are not looked at")
    members, place = [], start
    for _ in range(count):
        member, place = _central(source, place, stop)
        members.append(member)
    if place != stop:
        raise UnreadableError(f"its directory has {stop - place} bytes more than its {count} members take")
    return Directory(tuple(members), base, start, finish, comment)


def _central(source: Source, place: int, stop: int) -> tuple[Member, int]:
    head = source.read_at(place, 46)
    if len(head) < 46 or head[:4] != CENTRAL or place + 46 > stop:
        raise UnreadableError(f"what stands at byte {place} of its directory is no member")
    made, _, flags, method, _, _, crc, packed, size, named, extra, comment, _, _, outer, header = struct.unpack("<6H3I5H2I", head[4:])
    rest = source.read_at(place + 46, named + extra)
    if place + 46 + named + extra + comment > stop:
        raise UnreadableError("a member of its directory reaches beyond it")
    size, packed, header = _wide(rest[named:], size, packed, header)
    mode = outer >> 16 if made >> 8 == _UNIX else 0
    return Member(rest[:named], flags, method, crc, packed, size, mode, header), place + 46 + named + extra + comment


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Sizes and place, taken from the 64-bit field where they do not fit."""
    values = [size, packed, header]
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            field = extra[place + 4 : place + 4 + length]
            for index, value in enumerate(values):
                if value == _NONE_32:
                    if len(field) < 8:
                        raise UnreadableError("a 64-bit field of its directory is too short")
                    values[index], field = int.from_bytes(field[:8], "little"), field[8:]
            break
        place += 4 + length
    return values[0], values[1], values[2]


def data_of(source: Source, directory: Directory, member: Member) -> tuple[int, str | None]:
    """Where the bytes of a member begin, and how its own header contradicts the directory.

    Raises:
        UnreadableError: If there is no header.
    """
    place = directory.base + member.header
    head = source.read_at(place, 30)
    if len(head) < 30 or head[:4] != LOCAL:
        raise UnreadableError("no header of its own stands where the directory says")
    _, flags, method, _, _, crc, packed, size, named, extra = struct.unpack("<5H3I2H", head[4:])
    rest = source.read_at(place + 30, named + extra)
    wrong = None
    if rest[:named] != member.name:
        wrong = "the name"
    elif method != member.method or (flags ^ member.flags) & 0x2041:
        wrong = "how it is packed"
    elif not flags & 8:
        size, packed, _ = _wide(rest[named:], size, packed, 0)
        if (crc, packed, size) != (member.crc, member.packed, member.size):
            wrong = "its size or checksum"
    elif any(own not in (0, _NONE_32, known) for own, known in ((crc, member.crc), (packed, member.packed), (size, member.size))):
        wrong = "its size or checksum"
    return place + 30 + named + extra, wrong
