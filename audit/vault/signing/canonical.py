"""The one way to write a manifest (RFC 8785, JSON Canonicalization Scheme), so that its digest is one too.

Signatures do not rest on it: they are over the bytes that were written, and verified over the bytes that arrive.
"""

from __future__ import annotations

import json
import math
from typing import Any

# ECMAScript numbers are doubles; beyond this, two integers would be written alike.
LARGEST_INTEGER = 2**53


def encode_canonically(value: Any) -> bytes:
    """Encode JSON-able data: keys in the order of their UTF-16 code units, numbers as ECMAScript writes them, UTF-8.

    Numbers are doubles, as they are there: 1.0 is written as 1, and 1e20 as an integer that only a reader of doubles reads back.

    Args:
        value: Nested dicts with string keys, lists, tuples, strings, numbers, booleans and ``None``.

    Raises:
        ValueError: If a number is not finite, an integer is beyond 2**53, a string has a lone surrogate, or a value is of
            another kind: what one reader would see differently from another is not written.
    """
    parts: list[str] = []
    try:
        _write(value, parts)
    except RecursionError:
        raise ValueError("a value must not be nested this deep, nor hold itself") from None
    return "".join(parts).encode()


def _write(value: Any, parts: list[str]) -> None:
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(_string(value))
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(f"an integer must lie within 2**53, got one of {value.bit_length()} bits; write it as a string")
        parts.append(str(int(value)))
    elif isinstance(value, float):
        parts.append(_number(value))
    elif isinstance(value, list | tuple):
        _write_all("[]", [("", item) for item in value], parts)
    elif isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"a key must be a string, got {type(key).__name__}")
        names = {key: _string(key) + ":" for key in value}
        _write_all("{}", [(names[key], value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))], parts)
    else:
        raise ValueError(f"a value must be JSON, got {type(value).__name__}")


def _write_all(brackets: str, items: list[tuple[str, Any]], parts: list[str]) -> None:
    parts.append(brackets[0])
    for i, (name, item) in enumerate(items):
        parts.append("," + name if i else name)
        _write(item, parts)
    parts.append(brackets[1])


def _string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a string must be Unicode text, got one with a lone surrogate") from None
    # Its escapes are those of RFC 8785, section 3.2.2.2: the short ones, and \u00xx in lower case for other controls.
    return json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    """A double as ECMAScript writes it (ECMA-262, Number::toString); both take the shortest digits that read back the same."""
    if not math.isfinite(value):
        raise ValueError(f"a number must be finite, got {value}")
    if value == 0:
        return "0"  # minus zero, too
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).strip("0")
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    # The value is 0.digits times ten to the power of point.
    point = len(whole) - leading + int(exponent or 0)
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
