"""Grouping: which group of a protected attribute each row is in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.columns import as_text
from classifier.errors import DataError

if TYPE_CHECKING:
    from classifier.dataset import Dataset

SMALLEST_GROUP = 10
_QUARTILES = [0.25, 0.5, 0.75]


def cut_points(column: pd.Series[Any]) -> tuple[float, ...]:
    """Where a number is cut into groups unless somebody says otherwise: at its quartiles; one of two values needs no cut.

    A cut at the smallest value would leave nobody below it. Where all quartiles are that value, it is cut off from the rest.
    """
    if column.dtype != float or column.nunique() <= 2:
        return ()
    low = column.min()
    points = np.unique(column.quantile(_QUARTILES))
    if not (points > low).any():
        points = np.array([column[column > low].min()])
    return tuple(points[points > low].tolist())


def group_names(column: pd.Series[Any], points: Sequence[float]) -> NDArray[np.object_]:
    """The group of each row ``(N,)``.

    Args:
        column: A protected attribute, in natural units.
        points: Where a number is cut; without any, each value is a group. A missing value is a group of its own.
    """
    if column.dtype != float or not points:
        return as_text(column).astype(object).fillna("(missing)").to_numpy(dtype=object)
    between = (f"{a:g} to under {b:g}" for a, b in pairwise(points))
    names = np.array([f"under {points[0]:g}", *between, f"{points[-1]:g} or more", "(missing)"], dtype=object)
    values = column.to_numpy()
    return names[np.where(np.isnan(values), len(points) + 1, np.searchsorted(points, values, side="right"))]


def group_notes(dataset: Dataset) -> list[str]:
    """Refuse a protected attribute that has a group too small to say anything of, and note one that has no two groups.

    Raises:
        DataError: With the group and the ways out.
    """
    notes = []
    for attribute in dataset.protected:
        if attribute not in dataset.attributes.columns and attribute not in dataset.schema.names:
            raise DataError(
                f"the protected attribute {attribute!r} has one value only, so that there are no groups to compare",
                remedy=f"take {attribute!r} out of protected",
            )
        names, sizes = np.unique(dataset.groups(attribute), return_counts=True)
        if sizes.min() < SMALLEST_GROUP:
            raise DataError(
                f"the group {names[sizes.argmin()]!r} of the protected attribute {attribute!r} has {sizes.min()} rows, "
                f"required are {SMALLEST_GROUP}",
                remedy=f"merge it with another group, set cut points under [data.cuts], or take {attribute!r} out of protected",
            )
        if len(names) == 1:
            notes.append(f"the protected attribute {attribute} has one group only, {names[0]!r}: there is nothing to compare")
    return notes
