"""A result with tensors in one safetensors file: its tensors, and all else as JSON in the metadata."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from classifier.errors import IntegrityError
from classifier.records import as_record, canonical_json, parse_record, write_atomically

Result = TypeVar("Result")


def save_result(path: str | Path, result: Any, record: type[Any]) -> None:
    """Write a result, whole or not at all.

    Args:
        path: Where to.
        result: A dataclass; its fields are tensors, ``None``, or what `record` names.
        record: The dataclass of all that is no tensor, with a `version`.
    """
    from safetensors.torch import save

    tensors = {name: value.contiguous() for name, value in vars(result).items() if isinstance(value, Tensor)}
    told = {field.name: getattr(result, field.name) for field in fields(record) if field.name != "version"}
    write_atomically(Path(path), save(tensors, {"assay": canonical_json(as_record(record(**told))).decode()}))


def load_result(path: str | Path, kind: type[Result], record: type[Any], *, noun: str, optional: Collection[str] = ()) -> Result:
    """Read back what `save_result` wrote, without loss.

    Args:
        path: The file.
        kind: The dataclass of the result.
        record: The dataclass of all that is no tensor.
        noun: What it is called in an error, ``"explanation"``.
        optional: Tensors that may be absent.

    Raises:
        IntegrityError: If the file is missing, damaged, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    remedy = f"save the {noun} again"
    try:
        content = Path(path).read_bytes()
        tensors = load(content)
    except FileNotFoundError as error:
        raise IntegrityError(f"{path} is missing", remedy=remedy) from error
    except SafetensorError as error:
        raise IntegrityError(f"{path} is no safetensors file: {error}", remedy=remedy) from error
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    told = vars(parse_record(record, header.get("__metadata__", {}).get("assay", "").encode(), str(path)))
    absent = {field.name for field in fields(kind)} - told.keys() - tensors.keys() - set(optional)  # type: ignore[arg-type]  # a dataclass
    if absent:
        raise IntegrityError(f"{path} lacks {', '.join(sorted(absent))}", remedy=remedy)
    values: dict[str, Any] = {**dict.fromkeys(optional), **told, **tensors}
    return kind(**{name: value for name, value in values.items() if name != "version"})
