"""Texts from files, and the one column that holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from classifier.errors import DataError, did_you_mean
from classifier.records import sha256
from classifier.schema import Feature
from classifier.tables import read_table

#: The one feature of a text, whatever the column is called that holds it.
TEXT = "text"


def read_texts(path: Path) -> tuple[pd.DataFrame, str]:
    """Read texts and what is known of them.

    Args:
        path: Ends in ``.jsonl`` (an object a line), or is a table: ``.csv``, ``.tsv``, ``.parquet``.

    Returns:
        One row a text, and the SHA-256 of the file.

    Raises:
        DataError: If the file is missing, empty, or damaged; with the line's number.
    """
    if path.suffix != ".jsonl":
        return read_table(path)
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    content = path.read_bytes()
    try:
        # Only a line feed ends a line: other separators may stand within a string.
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text (byte {error.start})", remedy="save it in UTF-8") from error
    rows = [_object(line, number, path.name) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{path.name} has no rows")
    return pd.DataFrame(rows, dtype=object), sha256(content)


def _object(line: str, number: int, name: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DataError(f"{name} is no JSON in line {number}: {error}", remedy="each line needs an object of its own") from error
    if not isinstance(value, dict):
        raise DataError(f"{name} holds a {type(value).__name__} in line {number}, required is an object", remedy='{"text": "...", ...}')
    return value


def text_column(frame: pd.DataFrame) -> str:
    """The one column that is an input.

    Raises:
        DataError: If there is none, or more than one.
    """
    names = [str(name) for name in frame.columns]
    if len(names) != 1:
        raise DataError(
            f"a classifier of texts has one input column, got {len(names)}: {', '.join(names) or 'none'}",
            remedy="put all but the text under drop",
        )
    return names[0]


def texts_of(frame: pd.DataFrame, feature: Feature) -> list[str]:
    """The text of each row, with `fill` where there is none.

    Args:
        frame: Has a column `text`, or no other than that of the texts.
        feature: What the texts are.

    Raises:
        DataError: If there is no such column, a cell is no text, or one is missing and nothing is stated to stand for it.
    """
    column = frame[TEXT if TEXT in frame.columns else text_column(frame)]
    texts: list[str] = []
    for row, cell in zip(column.index, column, strict=True):
        if isinstance(cell, str) and cell.strip():
            texts.append(cell)
        elif isinstance(cell, str) or cell is None or cell is pd.NA or cell != cell:
            if feature.fill is None:
                raise DataError(
                    f"column {column.name!r} has no text in row {row}",
                    remedy=f'leave the row out, or state features = {{ {TEXT} = {{ fill = "(empty)" }} }}',
                )
            texts.append(str(feature.fill))
        else:
            raise DataError(f"column {column.name!r} must hold texts, got the {type(cell).__name__} {str(cell)[:40]!r} in row {row}")
    return texts
