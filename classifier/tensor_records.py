"""A result with tensors in one safetensors file: its tensors, and all else as JSON in the metadata."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from classifier.errors import IntegrityError
from classifier.records import as_record, canonical_json, digest, parse_record, sha256, write_atomically

Result = TypeVar("Result")


def save_result(path: str | Path, result: Any, record: type[Any]) -> None:
    """Write a result, whole or not at all.

    Args:
        path: Where to.
        result: A dataclass; its fields are tensors, ``None``, or what `record` names.
        record: The dataclass of all that is no tensor, with a `version`.
    """
    from safetensors.torch import save

    # Copies, since safetensors refuses tensors that share memory, as inputs and a background of the same rows do.
    tensors = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in vars(result).items() if isinstance(value, Tensor)
    }
    told = {field.name: getattr(result, field.name) for field in fields(record) if field.name != "version"}
    said = canonical_json(as_record(record(**told))).decode()
    write_atomically(Path(path), save(tensors, {"assay": said, "sha256": digest([said, fingerprints(tensors)])}))


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
    told, tensors = read_tensors(path, record, noun=noun)
    absent = {field.name for field in fields(kind)} - told.keys() - tensors.keys() - set(optional)  # type: ignore[arg-type]  # a dataclass
    if absent:
        raise IntegrityError(f"{path} lacks {', '.join(sorted(absent))}", remedy=f"save the {noun} again")
    values: dict[str, Any] = {**dict.fromkeys(optional), **told, **tensors}
    return kind(**values)


def read_tensors(path: str | Path, record: type[Any], *, noun: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a file that `save_result` wrote tells, by the names of the record's fields but its version, and its tensors by their names.

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
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    said = header.get("assay", "")
    told = vars(parse_record(record, said.encode(), str(path)))
    if header.get("sha256") != digest([said, fingerprints(tensors)]):
        raise IntegrityError(f"{path} holds other numbers than were saved", remedy=f"take the {noun} from its origin again")
    return {name: value for name, value in told.items() if name != "version"}, tensors


def fingerprints(tensors: Mapping[str, Tensor]) -> dict[str, list[Any]]:
    """The type, the shape and the SHA-256 of the bytes of each tensor, by its name."""
    return {name: [str(tensor.dtype), list(tensor.shape), sha256(_bytes(tensor))] for name, tensor in tensors.items()}


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data
