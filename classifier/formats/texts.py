"""Texts from files, and the one column that holds them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd

from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.formats.json_lines import read_objects
from classifier.formats.tables import read_table
from classifier.opening import plain_name, read_file
from classifier.schema import Feature

#: The one feature of a text, whatever the column is called that holds it.
TEXT = "text"


def read_texts(path: Path) -> tuple[pd.DataFrame, str]:
    """Read texts and what is known of them.

    Args:
        path: Ends in ``.jsonl`` (an object a line), or is a table: ``.csv``, ``.tsv``, ``.parquet``; each also sealed.

    Returns:
        One row a text, and the SHA-256 of the file.

    Raises:
        DataError: If the file is missing, empty, or damaged; with the line's number.
    """
    if plain_name(path).suffix != ".jsonl":
        return read_table(path)
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    content, digest = read_file(path)
    rows = [value for _, value in read_objects(content, path.name, '{"text": "...", "label": "..."}')]
    return pd.DataFrame(rows, dtype=object), digest


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
        ConfigurationError: If what is stated to stand for it is no text either.
    """
    if feature.fill is not None and is_blank(str(feature.fill)):
        raise ConfigurationError(f"the fill of {TEXT!r} has no token, got {feature.fill!r}", remedy='state one that has, fill = "(empty)"')
    column = frame[TEXT if TEXT in frame.columns else text_column(frame)]
    texts: list[str] = []
    for row, cell in zip(column.index, column, strict=True):
        if isinstance(cell, str) and not is_blank(cell):
            texts.append(cell)
        elif is_blank(cell):
            if feature.fill is None:
                raise DataError(
                    f"column {column.name!r} has no text in row {row}",
                    remedy=f'leave the row out, or state features = {{ {TEXT} = {{ fill = "(empty)" }} }}',
                )
            texts.append(str(feature.fill))
        else:
            raise DataError(f"column {column.name!r} must hold texts, got the {type(cell).__name__} {str(cell)[:40]!r} in row {row}")
    return texts


def is_blank(cell: object) -> bool:
    """Whether a cell is missing, or a text without anything to be read: blanks, control characters, characters of no width."""
    if isinstance(cell, str):
        # What the tokenizer leaves out: blanks, and the invisible among the "other" characters.
        return all(c[0] == "Z" or c in ("Cc", "Cf", "Cs") for c in map(unicodedata.category, cell))
    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)
