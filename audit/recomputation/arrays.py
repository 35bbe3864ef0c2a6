"""Row-level results out of a safetensors file, with nothing but Python: the reader of the numbers is not their writer."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from math import prod

from classifier.errors import IntegrityError
from classifier.formats.safetensors_layout import Slot, read_layout

# What Python's arrays call the types of numbers that results are stored in.
_CODES = {"F64": "d", "F32": "f", "I64": "q", "I32": "i", "I16": "h", "I8": "b", "U8": "B", "BOOL": "B"}


class Arrays:
    """The arrays of one check, each decoded when it is asked for.

    Args:
        content: A safetensors file.
        source: Where it came from, for errors.

    Raises:
        IntegrityError: If it is none.
    """

    def __init__(self, content: bytes, source: str) -> None:
        self._content, self._source = content, source
        try:
            self._slots: Mapping[str, Slot] = read_layout(BytesIO(content), len(content)).tensors
        except IntegrityError as error:
            raise IntegrityError(f"{source}: {error.problem}", remedy=error.remedy) from error

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def __iter__(self) -> Iterator[str]:
        return iter(self._slots)

    def column(self, name: str) -> Sequence[float]:
        """All numbers of an array, in the order of its last axis.

        Raises:
            KeyError: If there is none of that name.
            IntegrityError: If its numbers are of a type that no result is stored in.
        """
        slot = self._slots[name]
        if slot.dtype not in _CODES:
            raise IntegrityError(
                f"{self._source} holds {name!r} as {slot.dtype}, known are {', '.join(_CODES)}", remedy="verify it with a newer release"
            )
        numbers = array(_CODES[slot.dtype])
        numbers.frombytes(self._content[slot.begin : slot.end])
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def table(self, name: str) -> list[Sequence[float]]:
        """An array of two axes, row by row; of more, each row flat."""
        numbers, width = self.column(name), prod(self._slots[name].shape[1:])
        return [numbers[start : start + width] for start in range(0, len(numbers), width)] if width else []
