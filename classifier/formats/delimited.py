"""CSV and TSV files, in parts. Everything stays text: what a value means is decided by `cleaning`, in one place."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

import pandas as pd

from classifier.errors import DataError
from classifier.opening import plain_name

SEPARATORS = ",;\t|"


def delimited_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """A table in parts of at most `size` rows.

    Args:
        file: The file, open at its start.
        name: Its name: ``.tsv`` is separated by tabs, any other by what its first lines say; ``.gz`` is unpacked on the way.
        size: Rows a part.

    Raises:
        DataError: If it is not UTF-8 text, damaged, or a line has more or fewer values than the header.
    """
    endings = plain_name(Path(name)).name.lower().split(".")
    content = gzip.GzipFile(fileobj=file) if endings[-1] == "gz" else file
    start = io.TextIOWrapper(content, "utf-8-sig", newline="")
    try:
        separator = "\t" if "tsv" in endings[-2:] else _separator(start)
        start.seek(0)
        lines = csv.reader(start, delimiter=separator, strict=True)
        header: list[str] = []
        rows: list[list[str]] = []
        for row in lines:
            if _blank(row):
                continue
            if not header:
                header = [column.strip() for column in row]
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{name} has {len(row)} values in line {lines.line_num}, required are {len(header)} as in the header, "
                    f"where {separator!r} separates them",
                    remedy="every line needs as many values as the header; put a value that holds the separator in quotes",
                )
            rows.append(row)
            if len(rows) == size:
                yield pd.DataFrame(rows, columns=header, dtype=object)
                rows = []
        if rows:
            yield pd.DataFrame(rows, columns=header, dtype=object)
    except UnicodeDecodeError as error:
        # The decoder counts from the start of what it was given last.
        place = content.tell() - len(error.object) + error.start
        raise DataError(f"{name} is not UTF-8 text (byte {place})", remedy="save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{name} is not a regular table: {error} in line {lines.line_num}", remedy="check the quotes there") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a whole gzip file: {error}", remedy="take it anew from where it comes from") from error
    finally:
        start.detach()


def _separator(start: TextIO) -> str:
    """What separates the values: what cuts the first two lines into equally many, and these into most."""
    found = {}
    for separator in SEPARATORS:
        start.seek(0)
        counts: list[int] = []
        try:
            for row in islice((row for row in csv.reader(start, delimiter=separator, strict=True) if not _blank(row)), 2):
                counts.append(len(row))
        except csv.Error:
            # It is said in full when the table is read.
            pass
        found[separator] = (len(counts) == 2 and counts[0] == counts[1] > 1, counts[0] if counts else 0)
    return max(SEPARATORS, key=found.__getitem__)


def _blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())
