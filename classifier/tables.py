"""Tables from files, whole or in parts, with what goes wrong said clearly."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from classifier.errors import DataError, did_you_mean
from classifier.records import digest, sha256, sha256_file

SEPARATORS = ",;\t|"
PART = 2**15

Parser = Callable[[BinaryIO, str, int], Iterator[pd.DataFrame]]


def read_table(path: Path) -> tuple[pd.DataFrame, str]:
    """Read a table whole.

    Args:
        path: A ``.csv``, ``.tsv``, ``.parquet``, ``.arrow``, ``.feather``, ``.npy`` or ``.safetensors`` file, or
            a folder of several of one kind, which are read one after the other.

    Returns:
        The table, a CSV's values all as strings, and the SHA-256 of the file, or of its shards' names and digests.

    Raises:
        DataError: If the file is missing, empty, or not such a table.
    """
    # Read once, so that the digest is of the very bytes that the table was made of.
    contents = {shard: shard.read_bytes() for shard in shards(path)}
    parts = [part for shard, content in contents.items() for part in _parse(io.BytesIO(content), shard, PART)]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if frame.empty:
        raise DataError(f"{path.name} has no rows")
    return frame, _digest(path, {shard.name: sha256(content) for shard, content in contents.items()})


def table_parts(path: Path, rows: int = PART) -> Iterator[pd.DataFrame]:
    """Read a table in parts of at most `rows` rows, of which one is in memory at a time; see :func:`read_table`."""
    for shard in shards(path):
        with shard.open("rb") as file:
            yield from _parse(file, shard, rows)


def table_digest(path: Path) -> str:
    """The SHA-256 that :func:`read_table` gives, in constant memory."""
    return _digest(path, {shard.name: sha256_file(shard) for shard in shards(path)})


def shards(path: Path) -> list[Path]:
    """The files that a table lies in, in order.

    Raises:
        DataError: If there is none, or they are of several kinds.
    """
    if path.is_dir():
        found = sorted(entry for entry in path.iterdir() if entry.suffix in _PARSERS)
        if not found:
            raise DataError(f"the folder {path} holds no table", remedy=f"it needs files that end in {', '.join(_PARSERS)}")
        if len({entry.suffix for entry in found}) > 1:
            raise DataError(f"the folder {path} holds tables of several kinds", remedy="give one file, or keep files of one kind there")
        return found
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    if path.suffix not in _PARSERS:
        raise DataError(
            f"{path.name} is not a table that can be read", remedy=f"give a {', '.join(list(_PARSERS)[:-1])} or .safetensors file"
        )
    return [path]


def _digest(path: Path, each: dict[str, str]) -> str:
    return digest(each) if path.is_dir() else next(iter(each.values()))


def _parse(file: BinaryIO, path: Path, rows: int) -> Iterator[pd.DataFrame]:
    return _PARSERS[path.suffix](file, path.name, rows)


def _csv_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """Everything as text: what a value means is decided by `cleaning`, in one place."""
    start = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        separator = max(SEPARATORS, key=start.readline().count)
        start.seek(0)
        lines = csv.reader(start, delimiter=separator, strict=True)
        header = [column.strip() for column in next(lines, [])]
        rows: list[list[str]] = []
        for row in lines:
            if row and len(row) != len(header):
                raise DataError(
                    f"{name} has {len(row)} values in line {lines.line_num}, required are {len(header)} as in the header",
                    remedy="every line needs as many values as the header; put a value that holds the separator in quotes",
                )
            rows += [row] if row else []
            if len(rows) == size:
                yield pd.DataFrame(rows, columns=header, dtype=object)
                rows = []
        if rows:
            yield pd.DataFrame(rows, columns=header, dtype=object)
    except UnicodeDecodeError as error:
        # The decoder counts from the start of what it was given last.
        place = file.tell() - len(error.object) + error.start
        raise DataError(f"{name} is not UTF-8 text (byte {place})", remedy="save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{name} is not a regular table: {error} in line {lines.line_num}", remedy="check the quotes there") from error
    finally:
        start.detach()


def _arrow(name: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise DataError(f"reading {name} needs pyarrow", remedy="pip install 'assay[parquet]'") from error
    return pyarrow


def _parquet_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    pyarrow = _arrow(name)
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(file).iter_batches(batch_size=size):
            yield batch.to_pandas()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{name} is not a Parquet file: {error}") from error


def _arrow_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    pyarrow = _arrow(name)
    try:
        reader = pyarrow.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            frame = reader.get_batch(index).to_pandas()
            yield from (frame[start : start + size] for start in range(0, len(frame), size))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{name} is not an Arrow file: {error}", remedy="write it as Feather of version 2") from error


def _npy_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """A matrix; its columns are called 0, 1, 2 and so on."""
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read_header(file)
    except ValueError as error:
        raise DataError(f"{name} is not a NumPy file: {error}") from error
    if len(shape) != 2 or dtype.hasobject or by_columns:
        raise DataError(
            f"{name} must hold a matrix of numbers row by row, got the shape {shape} of {dtype}", remedy="save np.ascontiguousarray(matrix)"
        )
    for start in range(0, shape[0], size):
        rows = min(size, shape[0] - start)
        content = file.read(rows * shape[1] * dtype.itemsize)
        yield pd.DataFrame(np.frombuffer(content, dtype).reshape(rows, shape[1]), columns=[str(i) for i in range(shape[1])])


def _safetensors_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """Tensors of one length: a vector is a column of its name, a matrix ``x`` the columns ``x.0``, ``x.1`` and so on."""
    from safetensors import SafetensorError, numpy

    try:
        tensors = numpy.load(file.read())
    except SafetensorError as error:
        raise DataError(f"{name} is not a safetensors file: {error}") from error
    columns: dict[str, Any] = {}
    for key, values in sorted(tensors.items()):
        flat = values.reshape(len(values), -1)
        columns |= {key: values} if values.ndim == 1 else {f"{key}.{index}": flat[:, index] for index in range(flat.shape[1])}
    if len({len(values) for values in columns.values()}) > 1:
        raise DataError(f"the tensors of {name} have different lengths", remedy="each needs one value a row")
    frame = pd.DataFrame(columns)
    yield from (frame[start : start + size] for start in range(0, len(frame), size))


_PARSERS: dict[str, Parser] = {
    ".csv": _csv_parts,
    ".tsv": _csv_parts,
    ".parquet": _parquet_parts,
    ".arrow": _arrow_parts,
    ".feather": _arrow_parts,
    ".npy": _npy_parts,
    ".safetensors": _safetensors_parts,
}
