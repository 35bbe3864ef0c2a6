"""Numbers that are none: NaN and infinity among weights, searched block by block."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.supply_chain.look import Look, printable
from audit.supply_chain.source import Source

Order = Literal["<", ">"]
# Bytes of one number, and for those that numpy does not know: the mask of the exponent and that of the fraction.
_NATIVE = {"F64": "f8", "F32": "f4", "F16": "f2", "C64": "f4", "C128": "f8"}
_BITS = {"BF16": ("u2", 0x7F80, 0x007F), "F8_E5M2": ("u1", 0x7C, 0x03)}
FLOATS = frozenset({*_NATIVE, *_BITS, "F8_E4M3"})
_BLOCK = 1 << 22


def check_numbers(look: Look, source: Source, dtype: str, name: str, *, order: Order = "<", offset: int = 0) -> None:
    """Report the first NaN and the first infinity of a tensor, and how many there are.

    Args:
        look: Where findings go.
        source: The bytes of the tensor.
        dtype: Their type in the words of safetensors; what is no float has no NaN.
        name: Name of the tensor.
        order: Order of bytes.
        offset: Where the tensor begins in what is looked at.
    """
    if dtype not in FLOATS:
        return
    counts, first, place = [0, 0], [0, 0], 0
    for block in source.blocks(block=_BLOCK):
        for kind, found in enumerate(_odd(block, dtype, order)):
            if found is not None and found.any():
                if not counts[kind]:
                    first[kind] = place + int(found.argmax()) * (len(block) // len(found))
                counts[kind] += int(found.sum())
        place += len(block)
        look.advance(len(block))
    for rule, word, count, byte in zip(("weights.nan", "weights.infinite"), ("not a number", "infinite"), counts, first, strict=True):
        if count:
            look.find(rule, f"{count} of the numbers of tensor {printable(name)!r} are {word}", offset + byte)


def _odd(block: bytes, dtype: str, order: Order) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """Which numbers of a block are NaN, and which infinite; ``None`` where none is."""
    if dtype in _NATIVE:
        code = np.dtype(order + _NATIVE[dtype])
        numbers = np.frombuffer(block[: len(block) // code.itemsize * code.itemsize], code)
        if np.isfinite(numbers).all():
            return None, None
        return np.isnan(numbers), np.isinf(numbers)
    if dtype == "F8_E4M3":
        # It has no infinity, and one NaN of either sign.
        return (np.frombuffer(block, np.uint8) & 0x7F) == 0x7F, None
    unit, exponent, fraction = _BITS[dtype]
    code = np.dtype(order + unit)
    bits = np.frombuffer(block[: len(block) // code.itemsize * code.itemsize], code)
    large = (bits & exponent) == exponent
    if not large.any():
        return None, None
    return large & ((bits & fraction) != 0), large & ((bits & fraction) == 0)
