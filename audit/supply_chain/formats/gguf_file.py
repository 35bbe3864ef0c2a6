"""GGUF (ggml, docs/gguf.md): its counts and lengths held against the file, and its chat template."""

from __future__ import annotations

from audit.supply_chain.formats.json_file import check_template
from audit.supply_chain.look import Look
from audit.supply_chain.source import Source

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Bytes of a number of each type of a value; 8 is text and 9 a list.
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _LIST = 8, 9
MOST_ENTRIES, MOST_TENSORS, LONGEST_TEXT, MOST_TEXTS = 100_000, 1_000_000, 16 << 20, 20_000_000


class MalformedError(Exception):
    """The header does not follow the format."""


class _Walker:
    """Reads numbers and texts, and never more than the file holds."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.place = 4
        self._begin, self._ahead = 0, b""

    def take(self, count: int) -> bytes:
        if self.place + count > self.source.size:
            raise MalformedError(f"it claims {count} bytes where {self.source.size - self.place} are left")
        if not self._begin <= self.place <= self.place + count <= self._begin + len(self._ahead):
            self._begin, self._ahead = self.place, self.source.read_at(self.place, max(count, 1 << 16))
        start = self.place - self._begin
        self.place += count
        return self._ahead[start : start + count]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self) -> bytes:
        length = self.number(8)
        if length > LONGEST_TEXT:
            raise MalformedError(f"a text of it claims {length} bytes")
        return self.take(length)

    def skip(self, count: int) -> None:
        if self.place + count > self.source.size:
            raise MalformedError(f"it claims {count} bytes where {self.source.size - self.place} are left")
        self.place += count


def look_into_gguf(look: Look) -> None:
    """Walk through its header."""
    walker = _Walker(look.source)
    try:
        _walk(look, walker)
    except MalformedError as error:
        look.unseen("gguf.malformed", str(error), min(walker.place, look.source.size))


def _walk(look: Look, walker: _Walker) -> None:
    version, tensors, entries = walker.number(4), walker.number(8), walker.number(8)
    if version not in VERSIONS:
        raise MalformedError(f"it is of version {version}, and {VERSIONS[0]} and {VERSIONS[1]} are known")
    if entries > MOST_ENTRIES or tensors > MOST_TENSORS:
        raise MalformedError(f"it claims {entries} entries and {tensors} tensors")
    alignment, keys = 32, set()
    for _ in range(entries):
        key, place = walker.text(), walker.place
        if key in keys:
            raise MalformedError(f"it names the entry {key[:60]!r} twice")
        keys.add(key)
        kind = walker.number(4)
        value = _value(walker, kind, 0)
        if key == b"general.alignment" and kind == 4 and isinstance(value, int):
            alignment = value
        if key.startswith(b"tokenizer.chat_template") and isinstance(value, bytes):
            check_template(look, value.decode("utf-8", "backslashreplace"), place)
    if alignment < 8 or alignment % 8:
        raise MalformedError(f"its alignment is {alignment}")
    names, offsets = set(), []
    for _ in range(tensors):
        name, dimensions = walker.text(), walker.number(4)
        if name in names or dimensions > 8:
            raise MalformedError(f"tensor {name[:60]!r} stands in it twice, or has {dimensions} dimensions")
        names.add(name)
        walker.skip(8 * dimensions + 4)
        offsets.append(walker.number(8))
    start = -(-walker.place // alignment) * alignment
    for offset in offsets:
        if offset % alignment or start + offset > walker.source.size:
            raise MalformedError(f"a tensor begins at {offset}, behind the end of the file or beside the alignment of {alignment}")


def _value(walker: _Walker, kind: int, depth: int) -> int | bytes | None:
    if kind in _WIDTHS:
        return walker.number(_WIDTHS[kind])
    if kind == _TEXT:
        return walker.text()
    if kind != _LIST or depth > 3:
        raise MalformedError(f"a value of it is of type {kind}")
    inner, count = walker.number(4), walker.number(8)
    if inner in _WIDTHS:
        walker.skip(_WIDTHS[inner] * count)
        return None
    if count > MOST_TEXTS:
        raise MalformedError(f"a list of it claims {count} items")
    for _ in range(count):
        if inner == _TEXT:
            walker.skip(walker.number(8))
        else:
            _value(walker, inner, depth + 1)
    return None
