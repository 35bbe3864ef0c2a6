"""Loss of information: what generalising and suppressing take from each cell.

- ``ncp``: the normalised certainty penalty (Xu et al., 2006, KDD): of numbers and dates the share of the column's range that
  the label spans; of others the share of the table's values that are in the group, 0 for a group of one.
- ``precision``: the share of its ladder that a cell has climbed (Sweeney, 2002, IJUFKS 10(5)); 1 - Prec.
- ``entropy``: non-uniform entropy (de Waal and Willenborg, 1999): the bits that are needed to tell a row's value from its
  group, over those needed where nothing is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.classes import Classes
from audit.deidentification.ladder import Ladder
from audit.deidentification.plan import LossName

LOSSES: tuple[LossName, ...] = get_args(LossName)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class ColumnLoss:
    """What one column loses.

    Args:
        mean: For each level the mean loss of a row, if none is left out.
        saved: For each level and group, how much more a row of it would lose if it were left out ``(G,)``.
    """

    mean: tuple[float, ...]
    saved: tuple[Array, ...]


def column_loss(loss: LossName, ladder: Ladder, counts: NDArray[np.int64]) -> ColumnLoss:
    """What one column loses at each level; a row that is left out loses all.

    Args:
        loss: Which loss.
        ladder: Its levels.
        counts: Rows with each of its values ``(D,)``.
    """
    rows = max(1, int(counts.sum()))
    saved = tuple({"ncp": _ncp_saved, "precision": _precision_saved, "entropy": _entropy_saved}[loss](ladder, counts))
    # Of the entropy the most that a row can lose is its own; of the others 1.
    most = 1.0 if loss != "entropy" or (counts > 0).sum() > 1 else 0.0
    shares = [np.bincount(codes, weights=counts, minlength=len(kept)) / rows for codes, kept in zip(ladder.codes, saved, strict=True)]
    return ColumnLoss(tuple(max(0.0, most - float(share @ kept)) for share, kept in zip(shares, saved, strict=True)), saved)


def combined(columns: Sequence[ColumnLoss], weights: Sequence[float]) -> list[ColumnLoss]:
    """The columns' losses, weighted so that their sum is the loss of the table, from 0 to 1."""
    total = sum(weights)
    return [
        ColumnLoss(tuple(mean * weight / total for mean in column.mean), tuple(saved * (weight / total) for saved in column.saved))
        for column, weight in zip(columns, weights, strict=True)
    ]


def table_loss(columns: Sequence[ColumnLoss], levels: Sequence[int], classes: Classes, failing: NDArray[np.bool_]) -> float:
    """The loss of a table at some levels, with the rows of failing classes left out.

    Args:
        columns: What each quasi-identifier loses, from :func:`combined`.
        levels: The level of each.
        classes: The classes at these levels.
        failing: Which of them are left out ``(C,)``.
    """
    rows = max(1, int(classes.sizes.sum()))
    left_out = classes.sizes * failing / rows
    at = zip(columns, levels, classes.codes, strict=True)
    return sum(loss.mean[level] + float(left_out @ loss.saved[level][codes]) for loss, level, codes in at)


def _ncp_saved(ladder: Ladder, counts: NDArray[np.int64]) -> list[Array]:
    return [1 - _span(ladder, level) for level in range(ladder.height + 1)]


def _span(ladder: Ladder, level: int) -> Array:
    """The share of the column that each group's label spans ``(G,)``, whatever values of this table are in it."""
    codes, groups = ladder.codes[level], ladder.groups(level)
    if groups == 1:
        # Not even an empty cell is told from the rest.
        return np.full(1, float(len(codes) > 1))
    if not ladder.bounds:
        members = np.bincount(codes, minlength=groups)
        return np.where(members > 1, members / len(codes), 0.0)
    # Halves, whose differences are finite whatever the numbers are.
    values = ladder.bounds[0][0] / 2
    known = values[np.isfinite(values)]
    spans = np.zeros(groups)
    if len(known) and np.ptp(known) > 0:
        low, high = (np.clip(edge / 2, known.min(), known.max()) for edge in ladder.bounds[level])
        spans[codes] = np.nan_to_num((high - low) / np.ptp(known))
    return spans


def _precision_saved(ladder: Ladder, counts: NDArray[np.int64]) -> list[Array]:
    return [np.full(ladder.groups(level), 1 - level / max(1, ladder.height)) for level in range(ladder.height + 1)]


def _entropy_saved(ladder: Ladder, counts: NDArray[np.int64]) -> list[Array]:
    rows = max(1, int(counts.sum()))
    share = counts[counts > 0] / rows
    whole = float(-(share * np.log2(share)).sum())
    sums = [np.bincount(codes, weights=counts, minlength=ladder.groups(level)) for level, codes in enumerate(ladder.codes)]
    # A group's surprise is what a reader still learns from it.
    return [np.log2(rows / np.maximum(size, 1)) / whole if whole > 0 else np.zeros(len(size)) for size in sums]
