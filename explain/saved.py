"""Saved: results that go to one file each and come back without loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, fields, make_dataclass
from itertools import count, takewhile
from pathlib import Path
from types import NoneType, SimpleNamespace
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

from classifier.errors import IntegrityError
from classifier.tensor_records import read_tensors, save_result


class Saved:
    """A dataclass of tensors, arrays of numbers or of words, tuples of such arrays, and what a record may hold.

    The annotation of a field says which it is, so that no result lists its fields again.
    """

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, with all but the numbers as JSON in the metadata, whole or not at all.

        Where the result holds rows of the data, so does the file.
        """
        arrays, record = _layout(type(self))
        parts = {key: part for name in arrays for key, part in _parts(name, getattr(self, name))}
        words = {key: part.tolist() for key, part in parts.items() if part.dtype == object}
        numbers = {key: _as_tensor(part) for key, part in parts.items() if key not in words}
        save_result(path, SimpleNamespace(**{**vars(self), **numbers, "words": words}), record)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read back what :meth:`save` wrote, without loss.

        Raises:
            IntegrityError: If the file is missing, damaged, or holds something else.
        """
        arrays, record = _layout(cls)
        told, numbers = read_tensors(path, record, noun="result")
        words = {key: np.array(part, dtype=object) for key, part in told.pop("words").items()}
        for name, hint in arrays.items():
            told[name] = _gathered(name, hint, {**numbers, **words})
            if told[name] is None and NoneType not in get_args(hint):
                raise IntegrityError(f"{path} lacks {name}", remedy="save the result again")
        return cls(**told)


def _layout(kind: type[Any]) -> tuple[dict[str, Any], type[Any]]:
    """The fields that hold arrays, each with its annotation, and a record of the others."""
    hints = get_type_hints(kind)
    arrays = {one.name: hints[one.name] for one in fields(kind) if any(_mentions(hints[one.name], each) for each in (Tensor, np.ndarray))}
    told: list[Any] = [(one.name, hints[one.name], field(default=one.default)) for one in fields(kind) if one.name not in arrays]
    told += [("words", dict[str, list[str]]), ("version", int, field(default=1))]
    return arrays, make_dataclass(kind.__name__, told, frozen=True, kw_only=True)


def _mentions(hint: Any, kind: type[Any]) -> bool:
    return hint is kind or get_origin(hint) is kind or any(_mentions(part, kind) for part in get_args(hint))


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a field, each with a name of its own."""
    if isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from _parts(f"{name}.{number}", part)
    elif value is not None:
        yield name, value


def _gathered(name: str, hint: Any, found: Mapping[str, Any]) -> Any:
    """What `_parts` took apart, of arrays by their name; ``None`` where there is nothing."""
    if get_origin(hint) is tuple:
        names = takewhile(found.__contains__, (f"{name}.{number}" for number in count()))
        return tuple(_gathered(each, get_args(hint)[0], found) for each in names) or None
    value = found.get(name)
    return value.numpy() if isinstance(value, Tensor) and not _mentions(hint, Tensor) else value


def _as_tensor(part: Any) -> Tensor:
    # A copy, since an array may be read-only or run backwards.
    return part if isinstance(part, Tensor) else torch.from_numpy(np.array(part, order="C"))
