"""De-identification from file to file, whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import pandas as pd

from audit.deidentification.deidentifying import deidentify
from audit.deidentification.plan import Plan
from audit.deidentification.proposing import propose_plan
from audit.deidentification.pseudonym_keys import read_key, require_new, save_key
from audit.deidentification.pseudonyms import KEY_BYTES
from audit.deidentification.report import Report
from classifier.errors import ConfigurationError
from classifier.formats.tables import read_table
from classifier.opening import plain_name
from classifier.records import as_record, canonical_json, file_atomically

_NEW = "new:"
Writer = Callable[[pd.DataFrame, IO[bytes]], None]


def deidentify_file(
    data: Path,
    plan: Path,
    output: Path,
    *,
    report: Path | None = None,
    key_file: str | None = None,
    own_key: Callable[[], bytes] | None = None,
    replace: bool = False,
) -> Report:
    """De-identify a file.

    Args:
        data: The table, as :func:`classifier.formats.tables.read_table` takes it.
        plan: The plan.
        output: The table to write, ``.csv``, ``.tsv`` or ``.parquet``; only its owner may read it.
        report: Where the report is written.
        key_file: The key of pseudonyms: a file, ``"fd:N"``, or ``"new:PATH"`` for one that is made.
        own_key: What gives the key where none is named and the plan has pseudonyms.
        replace: Whether files that are there may be replaced.

    Raises:
        ConfigurationError: If a file is there already or is one of those read, the plan does not fit the table, or nothing that
            it requires holds.
        DataError: If the table cannot be read or a cell does not fit.
        StorageError: If a file cannot be written; all are then as they were, and a new key may be there beside them.
    """
    write = _writer(output)
    sources = [data, plan] + ([Path(key_file.removeprefix(_NEW))] if key_file else [])
    _require_free([output, *filter(None, [report])], sources, replace)
    read = Plan.read(plan)
    pseudonymous = any(column.action == "pseudonym" for column in read.columns.values())
    made = Path(key_file.removeprefix(_NEW)) if key_file is not None and key_file.startswith(_NEW) else None
    if made is not None and not pseudonymous:
        raise ConfigurationError("a key is to be made and the plan has no pseudonyms", remedy="leave --key-file out")
    frame, _ = read_table(data)
    if made is not None:
        require_new(made)
        key: bytes | None = secrets.token_bytes(KEY_BYTES)
    elif key_file is not None:
        key = read_key(key_file)
    else:
        key = own_key() if own_key is not None and pseudonymous else None
    result = deidentify(frame, read, key=key)
    if made is not None and key is not None:
        # Before the table is written, so that there is never one whose key was lost; after all that could be refused.
        save_key(made, key)
    with ExitStack() as files:
        # Both are written before either takes its place.
        if report is not None:
            files.enter_context(file_atomically(report)).write(canonical_json(as_record(result.report)) + b"\n")
        write(result.frame, files.enter_context(file_atomically(output, mode=0o600)))
    return result.report


def propose_file(data: Path, plan: Path, *, target: str | None = None, replace: bool = False) -> Plan:
    """Write a plan to start from for a file; see :func:`propose_plan`."""
    _require_free([plan], [data], replace)
    frame, _ = read_table(data)
    proposed = propose_plan(frame, target=target, dataset=_without_endings(data) or "data")
    proposed.write(plan, replace=replace)
    return proposed


def _without_endings(path: Path) -> str:
    """The whole name but for what tells the format: files of two years are two data sets."""
    return path.name if path.is_dir() else Path(plain_name(path).name.removesuffix(".gz")).stem


def _require_free(targets: list[Path], sources: list[Path], replace: bool) -> None:
    for place, path in enumerate(targets):
        if any(_same(path, other) for other in [*sources, *targets[:place]]):
            raise ConfigurationError(f"{path} is read or written as something else too", remedy="name another file")
        if path.exists() and not replace:
            raise ConfigurationError(f"{path} is there already", remedy="name another file, or give --force to replace it")


def _same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other))


def _writer(path: Path) -> Writer:
    ending = path.suffix.lower()
    if ending not in _WRITERS:
        raise ConfigurationError(f"{path.name} must end in .csv, .tsv or .parquet", remedy="name such a file")
    return _WRITERS[ending]


def _write_delimited(separator: str, frame: pd.DataFrame, file: IO[bytes]) -> None:
    text = TextIOWrapper(file, "utf-8", newline="")
    # Both characters of the line's end are quoted within cells, as RFC 4180 wants; of "\n" alone a carriage return is not.
    frame.to_csv(text, sep=separator, index=False, lineterminator="\r\n")
    text.detach()


def _write_parquet(frame: pd.DataFrame, file: IO[bytes]) -> None:
    try:
        import pyarrow
    except ImportError as error:
        raise ConfigurationError("writing Parquet needs pyarrow", remedy="pip install 'assay[parquet]', or write .csv") from error
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None), file)


_WRITERS: dict[str, Writer] = {".csv": partial(_write_delimited, ","), ".tsv": partial(_write_delimited, "\t"), ".parquet": _write_parquet}
