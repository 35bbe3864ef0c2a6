"""Tar archives: ustar, pax and GNU (POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format")."""

from __future__ import annotations

from audit.supply_chain.archives.names import check_path, check_repetitions
from audit.supply_chain.look import DEEPEST, Look, harmless, printable

BLOCK = 512
# A longer name or list of attributes is an attempt to exhaust memory.
LONGEST = 1 << 20
_FOLDER = b"5"


class MalformedError(Exception):
    """A header is none."""


def is_tar_header(head: bytes) -> bool:
    """Whether a block of 512 bytes is a header whose checksum holds."""
    try:
        if len(head) != BLOCK or head == bytes(BLOCK):
            return False
        summed = head[:148] + 8 * b" " + head[156:]
        # Some systems sum bytes with a sign.
        return _octal(head[148:156]) in (sum(summed), sum(summed) - 256 * sum(byte > 127 for byte in summed))
    except MalformedError:
        return False


def look_into_tar(look: Look) -> None:
    """Look into every member."""
    if look.depth >= DEEPEST:
        look.unseen("archive.deep", f"it lies in {look.depth} archives, and was not looked into")
        return
    names: list[str] = []
    try:
        _members(look, names)
    except MalformedError as error:
        look.unseen("tar.malformed", str(error))
    check_repetitions(look, names)


def _members(look: Look, names: list[str]) -> None:
    source, place = look.source, 0
    told: dict[str, str] = {}
    while place < source.size:
        head = source.read_at(place, BLOCK)
        if head == bytes(BLOCK):
            _after(look, place)
            return
        if not is_tar_header(head):
            raise MalformedError(f"what stands at byte {place} is no header")
        size, kind = _octal(head[124:136]), head[156:157]
        if kind in (b"x", b"g", b"L", b"K"):
            told.update(_told(kind, source.read_at(place + BLOCK, size) if size <= LONGEST else None))
            place += BLOCK + -(-size // BLOCK) * BLOCK
            continue
        name = told.get("path") or _name(head)
        if told.get("size", "").isdecimal():
            size = int(told["size"][:20])
        sparse = kind == b"S" or any(key.startswith("GNU.sparse") for key in told)
        told = {}
        names.append(name)
        look.budget.members -= 1
        if look.budget.members < 0:
            look.unseen("archive.bomb", "it holds more members than are looked at")
            return
        check_path(look, name)
        if kind in (b"1", b"2", b"3", b"4", b"6"):
            look.find("archive.link", f"{printable(name)!r} is a link or a device")
            size = 0 if kind != b"1" else size
        content = source.window(place + BLOCK, size)
        if content.size < size:
            look.unseen("tar.malformed", f"{printable(name)!r} claims {size} bytes where {content.size} are left")
        if sparse:
            look.unseen("archive.opaque", f"{printable(name)!r} is packed as a sparse file")
        elif kind != _FOLDER and content.size:
            look.into(look.inside(name, content, shown=harmless(name)))
        place += BLOCK + -(-size // BLOCK) * BLOCK


def _after(look: Look, place: int) -> None:
    """What follows the end is filled with zeros."""
    begin = place
    for block in look.source.blocks(place):
        if block.count(0) != len(block):
            look.find("zip.polyglot", "bytes that are not zero stand behind the archive", begin)
            return
        begin += len(block)


def _told(kind: bytes, content: bytes | None) -> dict[str, str]:
    """Name and size of the next member, where they do not fit into its header."""
    if content is None:
        raise MalformedError(f"a name or attribute of it is longer than {LONGEST} bytes")
    if kind in (b"L", b"K"):
        return {"path": content.rstrip(b"\0").decode("utf-8", "backslashreplace")} if kind == b"L" else {}
    found: dict[str, str] = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or len(length) > 7 or not len(length) < int(length) <= len(content):
            raise MalformedError("its list of attributes is malformed")
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        found[key.decode("utf-8", "backslashreplace")] = value.decode("utf-8", "backslashreplace")
        content = content[int(length) :]
    return found


def _name(head: bytes) -> str:
    name, prefix = head[:100].rstrip(b"\0"), head[345:500].rstrip(b"\0") if head[257:262] == b"ustar" else b""
    return (prefix + b"/" + name if prefix and head[257:265] != b"ustar  \0" else name).decode("utf-8", "backslashreplace")


def _octal(field: bytes) -> int:
    if field[:1] in (b"\x80", b"\xff"):
        number = int.from_bytes(field[1:], "big") if field[:1] == b"\x80" else -1
        if number < 0 or number >= 1 << 62:
            raise MalformedError("a number of its header is too large")
        return number
    text = field.strip(b" \0")
    if not text:
        return 0
    if not all(48 <= byte <= 55 for byte in text):
        raise MalformedError("a number of its header is none")
    return int(text, 8)
