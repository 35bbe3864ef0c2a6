"""The armoured form is read exactly as the format wants it, in constant memory, and as any tool writes it."""

from __future__ import annotations

from base64 import b64encode
from io import BufferedReader, BytesIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.vault.age.armor import AT_ONCE, BEGIN, END, ArmorReader, ArmorWriter, open_form
from audit.vault.age.failure import OpeningError

LINE, TEXT = 48, 64
# Around whole lines, and around the blocks that are read and written at once.
EDGES = [n + d for n in (0, LINE, 2 * LINE, LINE * AT_ONCE, 2 * LINE * AT_ONCE) for d in (-1, 0, 1, 2) if n + d >= 0]


def armored(content: bytes, pieces: int) -> bytes:
    sink = BytesIO()
    writer = ArmorWriter(sink)
    for start in range(0, len(content), pieces):
        writer.write(memoryview(content)[start : start + pieces])
    writer.close()
    return sink.getvalue()


def by_hand(content: bytes, end: bytes = b"\n") -> bytes:
    """The armour from the format's text alone."""
    text = b64encode(content)
    return end.join([BEGIN, *(text[i : i + TEXT] for i in range(0, len(text), TEXT)), END, b""])


def read(text: bytes) -> bytes:
    source, plain, buffer = ArmorReader(BytesIO(text)), b"", bytearray(70_000)
    while count := source.readinto(memoryview(buffer)):
        plain += buffer[:count]
    return plain


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("pieces", [1 << 20, 997])
def test_what_is_written_is_the_form_and_reads_back(size: int, pieces: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    text = armored(content, pieces)
    assert text == by_hand(content)
    assert read(text) == content
    assert read(by_hand(content, b"\r\n")) == content


@pytest.mark.parametrize("size", [100, LINE * AT_ONCE + 100, 3 * LINE * AT_ONCE])
def test_white_space_may_stand_outside_and_nothing_else(size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    text = by_hand(content)
    for before, after in ((b"\n \t\r\n", b""), (b"", b" \r\n\t\n"), (b"\n" * 1024, b"\n" * 1023)):
        assert read(before + text + after) == content
    assert read(text.removesuffix(b"\n")) == content
    for damaged in (
        b"\n" * 1025 + text,
        text + b" " * 1025,
        b" " + text,
        text + b"-",
        text + text,
        text + b"\n" * 1000 + b"x",
        b"\xef\xbb\xbf" + text,
        text.replace(BEGIN, BEGIN + b" "),
        text.replace(BEGIN + b"\n", BEGIN + b"\n\n"),
        text.replace(BEGIN + b"\n", BEGIN + b"\nComment: none\n"),
        text.replace(END, b"\n" + END),
        text.replace(END, END.lower()),
        text.replace(END, b""),
        text.replace(b"\n", b"\r"),
        text.replace(b"\n", b"\r\r\n"),
        text.replace(b"\n", b" \n"),
    ):
        with pytest.raises(OpeningError) as caught:
            read(damaged)
        assert caught.value.failure == "armor failure"


@pytest.mark.parametrize("place", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE])
def test_a_damaged_line_anywhere_is_refused(place: int) -> None:
    lines = by_hand(bytes((2 * AT_ONCE + 2) * LINE)).split(b"\n")
    line = lines[1 + place]
    for damaged in (
        b"",
        line[:-1],
        line[:-4],
        line + b"A",
        line[:-1] + b"=",
        line[:-1] + b"-",
        line[:-1] + b"_",
        line[:-1] + b"\xff",
        line[:30] + b"\n" + line[30:],
    ):
        with pytest.raises(OpeningError):
            read(b"\n".join([*lines[: 1 + place], damaged, *lines[2 + place :]]))


def test_base64_has_one_form() -> None:
    assert read(BEGIN + b"\nAA==\n" + END) == b"\0"
    for text in (b"AB==", b"AA=", b"AA", b"AAE", b"AA==AA==", b"A===", b"====", b"AA==\nAA==", b"=AAA"):
        with pytest.raises(OpeningError):
            read(BEGIN + b"\n" + text + b"\n" + END)


class _Endless:
    """Says the same for ever, and counts how much of it was asked for."""

    def __init__(self, start: bytes, text: bytes) -> None:
        self._start, self._text, self.given = start, text, 0

    def readinto(self, buffer: memoryview, /) -> int:
        said = self._start or self._text * len(buffer)
        self._start = b""
        count = min(len(buffer), len(said))
        buffer[:count] = said[:count]
        self.given += count
        return count


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (b"", b"\n"),
        (b"", b" "),
        (b"", b"-"),
        (BEGIN + b"\n", b"A"),
        (BEGIN + b"\nAA==\n" + END + b"\n", b"\n"),
        (BEGIN + b"\nAA==\n" + END, b" "),
    ],
)
def test_what_never_ends_is_left_soon(start: bytes, text: bytes) -> None:
    source = _Endless(start, text)
    with pytest.raises(OpeningError):
        ArmorReader(source).readline(1 << 20)
    assert source.given < 1 << 18


def test_lines_and_blocks_are_read_from_the_same_place() -> None:
    content = b"first\nsecond\n" + bytes(LINE * AT_ONCE) + b"end"
    source = ArmorReader(BytesIO(by_hand(content)))
    assert source.readline(100) == b"first\n"
    assert source.readline(3) == b"sec"
    assert source.readline(100) == b"ond\n"
    assert len(source.readline(LINE * AT_ONCE)) == LINE * AT_ONCE
    buffer = bytearray(10)
    assert bytes(buffer[: source.readinto(memoryview(buffer))]) == b"end"
    assert source.readinto(memoryview(buffer)) == 0
    assert source.readline(10) == b""


@pytest.mark.parametrize(
    ("text", "binary"), [(b"age-encryption.org/v1\n", True), (b"", True), (BEGIN, False), (b"\n" + BEGIN, False), (b"x", False)]
)
def test_the_first_byte_tells_the_form(text: bytes, binary: bool) -> None:
    file = BufferedReader(BytesIO(text))
    assert (open_form(file) is file) is binary
    assert file.read() == text


def _outcome(text: bytes) -> bytes | None:
    try:
        return read(text)
    except OpeningError as error:
        return None if error.failure == "armor failure" else b"another failure"


def test_whatever_is_read_would_be_written_the_same(fuzz: settings) -> None:
    places = st.integers(0, 220)
    pieces = st.sampled_from([b"", b"\n", b"\r", b"\r\n", b" ", b"=", b"-", b"A", b"B", END, BEGIN, b"\0", b"\xff"])

    def damaged(content: bytes, start: int, length: int, piece: bytes) -> bytes:
        text = by_hand(content)
        return text[:start] + piece + text[start + length :]

    @fuzz
    @given(st.binary(max_size=300) | st.builds(damaged, st.binary(max_size=120), places, st.integers(0, 3), pieces))
    @example(BEGIN + b"\n" + END)
    def law(text: bytes) -> None:
        content = _outcome(text)
        assert content is None or by_hand(content).strip() == text.strip().replace(b"\r\n", b"\n")

    law()
