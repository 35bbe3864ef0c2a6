"""NumPy and safetensors files as tables, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError, IntegrityError
from classifier.formats.safetensors_layout import read_layout

# What safetensors calls the types that a table can hold.
_TYPES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BOOL": "?",
    **{f"{kind.upper()}{8 * size}": f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
}

Read = Callable[[str, int, int], NDArray[Any]]


def npy_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """A matrix in parts of at most `size` rows; its columns are called 0, 1, 2 and so on.

    Raises:
        DataError: If it is no matrix of numbers, or has more or fewer bytes than one of its shape.
    """
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read_header(file)
    except ValueError as error:
        raise DataError(f"{name} is not a NumPy file: {error}") from error
    if len(shape) != 2 or min(shape) < 0 or dtype.kind not in "biufcM" or by_columns:
        raise DataError(
            f"{name} must hold a matrix of numbers row by row, got the shape {shape} of {dtype}", remedy="save np.ascontiguousarray(matrix)"
        )
    start = file.tell()
    found, required = file.seek(0, 2) - start, prod(shape) * dtype.itemsize
    if found != required:
        raise DataError(f"{name} has {found} bytes of numbers, required are {required} for the shape {shape}", remedy="save it anew")
    file.seek(start)
    for first in range(0, shape[0], size):
        rows = min(size, shape[0] - first)
        content = file.read(rows * shape[1] * dtype.itemsize)
        yield pd.DataFrame(np.frombuffer(content, dtype).reshape(rows, shape[1]), columns=[str(i) for i in range(shape[1])])


def safetensors_parts(file: BinaryIO, name: str, size: int) -> Iterator[pd.DataFrame]:
    """Tensors of one length in parts of at most `size` rows, which are all that is read of the file.

    A vector is a column of its name, a matrix ``x`` the columns ``x.0``, ``x.1`` and so on.

    Raises:
        DataError: If they have different lengths, or a tensor is no column of numbers.
    """
    try:
        read, shapes = _tensors(file, name)
        lengths = {shape[0] for shape in shapes.values()}
        if len(lengths) > 1:
            raise DataError(f"the tensors of {name} have different lengths", remedy="each needs one value a row")
        columns = [column for key, shape in sorted(shapes.items()) for column in _columns(key, shape)]
        if len(set(columns)) < len(columns):
            twice = next(column for column in columns if columns.count(column) > 1)
            raise DataError(f"the tensors of {name} make two columns {twice!r}", remedy="give one of them another name")
        for start in range(0, max(lengths, default=0), size):
            end = min(start + size, max(lengths))
            flat = {key: read(key, start, end).reshape(end - start, -1) for key in sorted(shapes)}
            yield pd.DataFrame(
                {column: flat[key][:, index] for key, shape in sorted(shapes.items()) for index, column in enumerate(_columns(key, shape))}
            )
    except IntegrityError as error:
        raise DataError(f"{name} is not a safetensors file: {error.problem.partition(': ')[2]}", remedy=error.remedy) from error


def _columns(key: str, shape: tuple[int, ...]) -> list[str]:
    return [key] if len(shape) == 1 else [f"{key}.{index}" for index in range(prod(shape[1:]))]


def _tensors(file: BinaryIO, name: str) -> tuple[Read, dict[str, tuple[int, ...]]]:
    """What reads some rows of a tensor and no more than those, and the shape of each."""
    size = file.seek(0, 2)
    file.seek(0)
    slots = read_layout(file, size).tensors
    shapes = {key: _shape(name, key, slot.shape, slot.dtype) for key, slot in slots.items()}

    def read(key: str, start: int, end: int) -> NDArray[Any]:
        slot, shape = slots[key], shapes[key]
        row = prod(shape[1:]) * np.dtype(_TYPES[slot.dtype]).itemsize
        file.seek(slot.begin + start * row)
        content = file.read((end - start) * row)
        return np.frombuffer(content, np.dtype(_TYPES[slot.dtype]).newbyteorder("<")).reshape(end - start, *shape[1:])

    return read, shapes


def _shape(name: str, key: str, shape: tuple[int, ...], kind: str) -> tuple[int, ...]:
    if not shape or kind not in _TYPES:
        what = f"numbers of the type {kind}" if shape else "one number alone"
        raise DataError(
            f"the tensor {key!r} of {name} holds {what}, required is a float32 number (or float64, integer, bool) for each row",
            remedy="leave it out" if not shape else "store tensor.float()",
        )
    return shape
