"""JSON lines: an object a line, in UTF-8."""

from __future__ import annotations

import json
from typing import Any

from classifier.errors import DataError


def read_objects(content: bytes, name: str, example: str) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a file, each with the number of its line, from 1; empty lines are left out.

    Args:
        content: The bytes of the file.
        name: What to call it in an error.
        example: What a line looks like.

    Raises:
        DataError: If it is not UTF-8 text, a line is no object, or there is none; with the line's number.
    """
    try:
        # Only a line feed ends a line: other separators may stand within a string.
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (byte {error.start})", remedy="save it in UTF-8") from error
    objects = [(number, _object(line, number, name, example)) for number, line in enumerate(lines, start=1) if line.strip()]
    if not objects:
        raise DataError(f"{name} has no rows", remedy=f"a line is {example}")
    return objects


def _object(line: str, number: int, name: str, example: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
        # An escape may name half of a character, which no file and no digest can hold later.
        if "\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise DataError(f"{name} is nested too deeply in line {number}", remedy=f"a line is {example}") from error
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise DataError(
            f"{name} has half a character in line {number}, {half}", remedy="write both halves of a surrogate pair, or the character itself"
        ) from error
    except ValueError as error:
        raise DataError(f"{name} is no JSON in line {number}: {error}", remedy="each line needs an object of its own") from error
    if not isinstance(value, dict):
        raise DataError(f"{name} holds a {type(value).__name__} in line {number}, required is an object", remedy=f"a line is {example}")
    return value
