"""Errors in a table of steps or nodes, said in the words of the series or graphs that it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from classifier.errors import DataError

# A row of such a table has two numbers.
_ROW = re.compile(r"row \((?:np\.int64\()?(\d+)\)?, (?:np\.int64\()?(\d+)\)?\)")


@contextmanager
def placed(case: str, part: str) -> Iterator[None]:
    """Say ``series 20, step 2`` where a function of tables says ``row (20, 2)``.

    Args:
        case: What the first number counts, ``"series"``.
        part: What the second number counts, ``"step"``.
    """
    try:
        yield
    except DataError as error:
        problem, remedy = (_ROW.sub(rf"{case} \1, {part} \2", text) for text in (error.problem, error.remedy))
        raise DataError(problem, remedy=remedy) from error
