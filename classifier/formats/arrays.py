"""Archives of arrays: one holds the inputs, and others a value for each of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.errors import DataError, did_you_mean

Array = NDArray[Any]

LABEL = "label"
_LABELS = ("labels", "y", LABEL)


def read_arrays(content: bytes, name: str, inputs: tuple[str, str]) -> tuple[str, Array, dict[str, Array]]:
    """The arrays of an ``.npz`` file.

    Args:
        content: The bytes of the file.
        name: What to call it in an error.
        inputs: The two names that the array of the inputs may have.

    Returns:
        The name of that array, the array, and the others by their names; the labels by ``"label"``.

    Raises:
        DataError: If it is damaged or holds pickles, has no inputs, or has two arrays for one thing.
    """
    if not content.startswith(b"PK"):
        raise DataError(f"{name} is not an .npz file of plain arrays", remedy="write it with numpy.savez_compressed")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays: dict[str, Array] = {key: archive[key] for key in archive.files}
    # zipfile, zlib and NumPy each raise what they like over a damaged byte: a list of that would never be whole.
    except Exception as error:
        raise DataError(f"{name} is not an .npz file of plain arrays: {error}", remedy="write it with numpy.savez_compressed") from error
    for meant in (inputs, _LABELS):
        there = [key for key in meant if key in arrays]
        if len(there) > 1:
            raise DataError(f"{name} has the arrays {' and '.join(map(repr, there))}, required is one of them", remedy="leave one out")
    key = next((key for key in inputs if key in arrays), None)
    if key is None:
        raise DataError(f"{name} has no array {inputs[0]!r} or {inputs[1]!r}", remedy=did_you_mean(inputs[0], arrays))
    found = arrays.pop(key)
    return key, found, {LABEL if other in _LABELS else other: array for other, array in arrays.items()}


def columns_of(arrays: dict[str, Array], count: int, name: str) -> dict[str, Array]:
    """Those of the arrays that hold a value for each of `count` inputs.

    Raises:
        DataError: If the labels do not.
    """
    if LABEL in arrays and arrays[LABEL].shape != (count,):
        raise DataError(f"the labels of {name} must be ({count},), one for each input, got {arrays[LABEL].shape}")
    return {key: array for key, array in arrays.items() if array.shape == (count,)}
