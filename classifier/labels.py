"""Labels: from a target column to class indices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.columns import as_text
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.spelling import TRUTH

MOST_CLASSES = 100


def encode_labels(column: pd.Series[Any], event: str | None, classes: Sequence[str] | None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Turn a tidied target column into class indices ``(N,)`` and the names of the classes, the event last of two.

    Raises:
        DataError: If it has one class only, too many, a continuous value, or one that is not in `classes`.
        ConfigurationError: If `event` is no class.
    """
    numeric = column.dtype == float
    if numeric and (column.nunique() > MOST_CLASSES or not (column == column.round()).all()):
        raise DataError(
            f"the target {column.name!r} is a continuous value ({column.nunique()} different numbers), required are classes",
            remedy="Assay audits classifiers; cut the target into classes first",
        )
    text = as_text(column)
    if numeric and not np.isfinite(column).all():
        row = column.index[int((~np.isfinite(column)).to_numpy().argmax())]
        raise DataError(f"the target {column.name!r} has the non-finite value {column.loc[row]} in row {row}", remedy="correct it")
    found = list(classes) if classes is not None else _in_order(text.unique().tolist())
    if len(found) < 2:
        raise DataError(
            f"the target {column.name!r} has one class only, {found[0] if found else 'none'!r}, required are 2",
            remedy="check that the file is whole",
        )
    if len(found) > MOST_CLASSES:
        raise DataError(
            f"the target {column.name!r} has {len(found)} different values, at most {MOST_CLASSES} can be classes",
            remedy="is it the right column?",
        )
    if event is not None:
        event = class_named(event, found, f"the target {column.name!r} has no class {event!r}")
        if len(found) == 2:
            found = [name for name in found if name != event] + [event]
    codes = pd.Index(found, dtype=object).get_indexer(pd.Index(text, dtype=object))
    if (codes < 0).any():
        first = int((codes < 0).argmax())
        raise DataError(
            f"the target {column.name!r} has the unknown class {text.iloc[first]!r} in row {text.index[first]}",
            remedy=f"known are: {', '.join(found)}",
        )
    return codes.astype(np.int64), tuple(found)


def class_named(name: str, classes: Sequence[str], problem: str) -> str:
    """The class that somebody names; a class ``"yes"`` or ``"no"`` may be named true or false.

    Raises:
        ConfigurationError: With `problem`, if there is none.
    """
    for known in (name, TRUTH.get(str(name).lower())):
        if known in classes:
            return str(known)
    raise ConfigurationError(problem, remedy=did_you_mean(name, classes))


def _in_order(names: Sequence[str]) -> list[str]:
    """Classes sorted, as numbers where all are."""
    if all(re.fullmatch(r"[+-]?\d+", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
