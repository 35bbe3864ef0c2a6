"""Tables from files, whole or in parts, with what goes wrong said clearly."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from classifier.errors import DataError, did_you_mean
from classifier.formats.columnar import arrow_parts, parquet_parts
from classifier.formats.delimited import delimited_parts
from classifier.formats.matrices import npy_parts, safetensors_parts
from classifier.opening import SEALED, open_file, plain_name, read_file, require_alike, require_kind
from classifier.records import digest, sha256_file

PART = 2**15
# Tables that are not read, and would be missed in a folder.
_SHEETS = (".xlsx", ".xls", ".ods")

Parser = Callable[[BinaryIO, str, int], Iterator[pd.DataFrame]]


def read_table(path: Path) -> tuple[pd.DataFrame, str]:
    """Read a table whole.

    Args:
        path: A ``.csv``, ``.tsv`` (each also with ``.gz``), ``.parquet``, ``.arrow``, ``.feather``, ``.npy`` or ``.safetensors``
            file, each also sealed, with ``.age`` at its end; or a folder of several of one kind, which are read one after the other.

    Returns:
        The table, a CSV's values all as strings, and the SHA-256 of the file, or of its shards' names and digests.

    Raises:
        DataError: If the file is missing, empty, or not such a table, or shards have different columns.
        UnsealError: If it is sealed and does not open.
    """
    # Read once, so that the digest is of the very bytes that the table was made of.
    contents = {shard: read_file(shard) for shard in shards(path)}
    parts = list(_aligned((shard, part) for shard, (content, _) in contents.items() for part in _parse(io.BytesIO(content), shard, PART)))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if frame.empty:
        raise DataError(f"{path.name} has no rows", remedy="give a table with a header and at least one row")
    return frame, _digest(path, {shard.name: each for shard, (_, each) in contents.items()})


def table_parts(path: Path, rows: int = PART) -> Iterator[pd.DataFrame]:
    """Read a table in parts of at most `rows` rows, of which one is in memory at a time; see :func:`read_table`."""
    return _aligned(_opened(path, rows))


def _opened(path: Path, rows: int) -> Iterator[tuple[Path, pd.DataFrame]]:
    for shard in shards(path):
        with open_file(shard) as file:
            for part in _parse(file, shard, rows):
                yield shard, part


def _aligned(parts: Iterable[tuple[Path, pd.DataFrame]]) -> Iterator[pd.DataFrame]:
    """Parts with the columns of the first, in its order.

    Raises:
        DataError: If a shard has other columns, or one has two of one name. A missing column would become missing values.
    """
    first: Path | None = None
    names: list[str] = []
    for shard, part in parts:
        here = list(part.columns)
        if first is None:
            first, names = shard, here
        absent, more = _besides(names, here), _besides(here, names)
        if absent or more:
            said = [f"lacks {', '.join(map(repr, absent))}"] if absent else []
            said += [f"has {', '.join(map(repr, more))} besides"] if more else []
            raise DataError(
                f"{shard.name} has not the columns of {first.name}: it {' and '.join(said)}",
                remedy="each file of a table needs the same header" if absent == names else "give each file the same columns",
            )
        if not part.columns.is_unique:
            twice = part.columns[part.columns.duplicated()][0]
            raise DataError(f"{shard.name} has two columns {twice!r}", remedy="give each a name of its own")
        yield part if here == names else part[names]


def _besides(names: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [name for name in names if name not in known]


def table_digest(path: Path) -> str:
    """The SHA-256 that :func:`read_table` gives, in constant memory."""
    return _digest(path, {shard.name: sha256_file(shard) for shard in shards(path)})


def table_size(path: Path) -> int:
    """Bytes of a table on disk, unpacked: text takes about a tenth of its size as ``.gz``."""
    return sum(shard.stat().st_size * (10 if _kind(shard).endswith(".gz") else 1) for shard in shards(path))


def shards(path: Path) -> list[Path]:
    """The files that a table lies in, in order.

    Raises:
        DataError: If there is none, or they are of several kinds.
    """
    if path.is_dir():
        # Files that start with a point are no data: what systems and tools keep beside them.
        entries = sorted((entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith(".")), key=plain_name)
        found = [entry for entry in entries if _kind(entry) in _PARSERS]
        for entry in entries:
            if entry not in found and any(ending.lower() in (*_PARSERS, *_SHEETS) for ending in entry.suffixes):
                raise DataError(
                    f"{entry.name} in {path} looks like a table that cannot be read", remedy="unpack it, save it as CSV, or move it"
                )
        if not found:
            raise DataError(f"the folder {path} holds no table", remedy=f"it needs files that end in {', '.join(_PARSERS)}")
        if len({_kind(entry) for entry in found}) > 1:
            raise DataError(f"the folder {path} holds tables of several kinds", remedy="give one file, or keep files of one kind there")
        require_alike(found, path)
        return found
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    require_kind(path)
    if _kind(path) not in _PARSERS:
        raise DataError(
            f"{path.name} is not a table that can be read",
            remedy=f"give a {', '.join(list(_PARSERS)[:-1])} or .safetensors file, or one of them sealed, with {SEALED} at its end",
        )
    return [path]


def _kind(path: Path) -> str:
    """The ending that tells how a file is read, in small letters."""
    endings = [ending.lower() for ending in plain_name(path).suffixes]
    return "".join(endings[-2:] if endings[-1:] == [".gz"] else endings[-1:])


def _digest(path: Path, each: dict[str, str]) -> str:
    return digest(each) if path.is_dir() else next(iter(each.values()))


def _parse(file: BinaryIO, path: Path, rows: int) -> Iterator[pd.DataFrame]:
    return _PARSERS[_kind(path)](file, path.name, rows)


_PARSERS: dict[str, Parser] = {
    ".csv": delimited_parts,
    ".csv.gz": delimited_parts,
    ".tsv": delimited_parts,
    ".tsv.gz": delimited_parts,
    ".parquet": parquet_parts,
    ".arrow": arrow_parts,
    ".feather": arrow_parts,
    ".npy": npy_parts,
    ".safetensors": safetensors_parts,
}
