"""Parquet, Arrow and Feather files, in parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from classifier.errors import DataError

# What pandas calls an index without a name when it writes a file: numbers of rows, and no column of the table.
_UNNAMED = re.compile(r"__index_level_\d+__")


def parquet_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """A Parquet file in parts of at most `size` rows.

    Raises:
        DataError: If it is damaged, or pyarrow is not there.
    """
    pyarrow = _arrow(name)
    from pyarrow import parquet

    try:
        yield from _frames(parquet.ParquetFile(file).iter_batches(batch_size=size), size, pyarrow)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{name} is not a Parquet file: {error}") from error


def arrow_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """An Arrow or Feather file, or an Arrow stream, in parts of at most `size` rows.

    Raises:
        DataError: If it is damaged, or pyarrow is not there.
    """
    pyarrow = _arrow(name)
    try:
        # A file of Arrow batches says so at its start and its end; a stream has no such mark.
        marked = file.read(6) == b"ARROW1"
        file.seek(0)
        if marked:
            reader = pyarrow.ipc.open_file(file)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            batches = iter(pyarrow.ipc.open_stream(file))
        yield from _frames(batches, size, pyarrow)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{name} is not an Arrow file: {error}", remedy="write it as Feather of version 2") from error


def _arrow(name: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise DataError(f"reading {name} needs pyarrow", remedy="pip install 'assay[parquet]'") from error
    return pyarrow


def _frames(batches: Iterable[Any], size: int, pyarrow: Any) -> Iterator[pd.DataFrame]:
    first = 0
    for batch in batches:
        for start in range(0, batch.num_rows, size):
            part = batch.slice(start, size)
            yield _frame(part, first, pyarrow)
            first += part.num_rows


def _frame(batch: Any, first: int, pyarrow: Any) -> pd.DataFrame:
    """A batch as a table, of which what pandas had as a named index is a column.

    Args:
        batch: Rows of the file.
        first: The number of the first of them.
        pyarrow: The module.
    """
    # Whole numbers beside gaps would become 64-bit floats, and large ones others.
    whole = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}
    gaps = any(kind in whole and column.null_count for kind, column in zip(batch.schema.types, batch.columns, strict=True))
    frame = batch.to_pandas(ignore_metadata=True, types_mapper=whole.get if gaps else None)
    if frame.columns.is_unique:
        frame = frame[[name for name in frame.columns if not _UNNAMED.fullmatch(str(name))]]
    for index in (batch.schema.pandas_metadata or {}).get("index_columns", []):
        # Of an index that counts, the file holds only where it starts and how it goes on.
        if isinstance(index, dict) and index.get("name") is not None:
            frame = frame.assign(**{str(index["name"]): index["start"] + index["step"] * np.arange(first, first + len(frame))})
    return frame
