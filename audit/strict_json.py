"""JSON from strangers, of which there is one reading only."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from classifier.errors import IntegrityError

LONGEST, DEEPEST = 4 << 20, 64


def parse_strictly(content: bytes, source: str, *, longest: int = LONGEST) -> Any:
    """Read JSON that came from `source`.

    What parsers read differently is refused, since one program might otherwise verify one thing and another use the next:
    duplicate keys, NaN and infinities, fractions and powers beyond a double, lone surrogates, text that is not UTF-8, a byte order
    mark, and anything after the end.

    Args:
        content: The JSON.
        source: Where it came from, for errors.
        longest: How many bytes it may have.

    Raises:
        IntegrityError: If it is none, is longer than that, or is nested deeper than 64 levels.
    """
    if len(content) > longest:
        raise _refusal(source, f"is {len(content)} bytes long, allowed are {longest}")
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        _check(value)
    except RecursionError:
        raise _refusal(source, f"is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        # A JSON error's own text names a place, never the content.
        raise _refusal(source, f"is not strict JSON: {str(error)[:200]}") from None
    return value


def _refusal(source: str, problem: str) -> IntegrityError:
    return IntegrityError(f"{source} {problem}", remedy="take it anew from its source")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice")
    return content


def _no_constant(_: str) -> NoReturn:
    raise ValueError("a number must be finite")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number must be finite")
    return value


def _check(value: Any) -> None:
    """Refuse lone surrogates, and depth."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and not item.isascii():
                item.encode()  # a lone surrogate raises a kind of ValueError
        level = below
