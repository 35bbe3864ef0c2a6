"""Lines of a terminal: wrapped by what they take up, in which a Chinese character is as wide as two others."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# What may not begin a line.
_CLOSING = frozenset("，。；：、！？）》」』”’％,.;:!?)]}%")


def wrap(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> list[str]:
    """A text as lines of at most `width` columns; what fits on no line stands alone on one.

    Args:
        text: One paragraph.
        width: Columns of the terminal.
        indent: What stands before the first line.
        hanging: What stands before each other line; the same by default.
    """
    following = indent if hanging is None else hanging
    lines, line, empty = [], indent, True
    for piece in _pieces(_printable(text)):
        if not empty and columns(line) + columns(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line, empty, piece = following, True, piece.lstrip()
        line, empty = line + piece, empty and not piece
    return [one.replace("\N{NO-BREAK SPACE}", " ") for one in (*lines, line.rstrip())]


def columns(text: str) -> int:
    """How many columns a text takes up."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(bool(unicodedata.combining(character)) for character in text)


def _pieces(text: str) -> Iterator[str]:
    """What must stay together: a word with the space after it, or a wide character with the punctuation that closes it."""
    piece = ""
    for character in text:
        wide = unicodedata.east_asian_width(character) in "WF"
        breaks = piece.endswith(" ") or wide or (piece and unicodedata.east_asian_width(piece[-1]) in "WF")
        if piece and breaks and character not in _CLOSING and character != " ":
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


def _printable(text: str) -> str:
    """Without the control characters by which a name from a file could command the terminal."""
    return "".join(
        character if character.isprintable() or character == "\N{NO-BREAK SPACE}" else "\N{REPLACEMENT CHARACTER}" for character in text
    )
