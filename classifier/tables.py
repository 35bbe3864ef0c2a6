"""Tables from files, with what goes wrong said clearly."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from classifier.errors import DataError, did_you_mean
from classifier.records import sha256

SEPARATORS = ",;\t|"


def read_table(path: Path) -> tuple[pd.DataFrame, str]:
    """Read a CSV or Parquet file.

    Args:
        path: Ends in ``.csv``, ``.tsv`` or ``.parquet``.

    Returns:
        The table, a CSV's values all as strings, and the SHA-256 of the file.

    Raises:
        DataError: If the file is missing, empty, or not such a table.
    """
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    if path.suffix not in (".csv", ".tsv", ".parquet"):
        raise DataError(f"{path.name} is not a table that can be read", remedy="give a .csv, .tsv or .parquet file")
    # Read once, so that the digest is of the very bytes that the table was made of.
    content = path.read_bytes()
    frame = (_parse_parquet if path.suffix == ".parquet" else _parse_csv)(content, path.name)
    if frame.empty:
        raise DataError(f"{path.name} has no rows")
    return frame, sha256(content)


def _parse_csv(content: bytes, name: str) -> pd.DataFrame:
    """Everything as text: what a value means is decided by `cleaning`, in one place."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (byte {error.start})", remedy="save it as CSV in UTF-8") from error
    file = io.StringIO(text, newline="")
    separator = max(SEPARATORS, key=file.readline().count)
    file.seek(0)
    lines = csv.reader(file, delimiter=separator, strict=True)
    rows: list[list[str]] = []
    try:
        header = [column.strip() for column in next(lines, [])]
        for row in lines:
            if row and len(row) != len(header):
                raise DataError(
                    f"{name} has {len(row)} values in line {lines.line_num}, required are {len(header)} as in the header",
                    remedy="every line needs as many values as the header; put a value that holds the separator in quotes",
                )
            rows += [row] if row else []
    except csv.Error as error:
        raise DataError(f"{name} is not a regular table: {error} in line {lines.line_num}", remedy="check the quotes there") from error
    return pd.DataFrame(rows, columns=header, dtype=object)


def _parse_parquet(content: bytes, name: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow", remedy="pip install 'assay[parquet]'") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{name} is not a Parquet file: {error}") from error
