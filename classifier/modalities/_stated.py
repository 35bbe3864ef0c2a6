"""What is stated of inputs, checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from classifier.errors import ConfigurationError


def require_features(columns: Iterable[object], stated: Mapping[str, Mapping[str, Any]], known: Sequence[str]) -> None:
    """Refuse what is stated of a column that holds whole inputs, since nothing would come of it.

    Args:
        columns: The input columns.
        stated: For a name, the fields that are stated of it.
        known: The features of the inputs.

    Raises:
        ConfigurationError: With the features that there are.
    """
    for column in map(str, columns):
        if stated.get(column) and column not in known:
            raise ConfigurationError(
                f"{column!r} is a column and no feature of its inputs", remedy=f"state it of {' or '.join(map(repr, known[:4]))}"
            )


def require_size(size: Sequence[object], what: str, axes: Sequence[str]) -> None:
    """Refuse a stated size that is not one whole number along each axis.

    Args:
        size: As stated; empty where nothing is.
        what: What has that size, ``"an image"``.
        axes: What is counted, ``("height", "width")``.

    Raises:
        ConfigurationError: If there are more or fewer numbers, or one is not whole.
    """
    whole = all(isinstance(extent, Integral) for extent in size)
    if size and not (whole and len(size) == len(axes)):
        raise ConfigurationError(f"the size of {what} is [{', '.join(axes)}]{'' if whole else ' in whole numbers'}, got {list(size)}")
