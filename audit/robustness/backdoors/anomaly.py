"""How far a class's trigger is smaller than those of the others, in deviations that outliers do not move (Wang et al., 2019)."""

from __future__ import annotations

import numpy as np

from classifier.statistics import Array

# Of a normal distribution, the standard deviation is so many times the median absolute deviation.
_NORMAL = 1.4826
#: Fewer sizes have no median deviation that says anything.
FEWEST = 4


def anomaly_indices(sizes: Array) -> Array:
    """The index of each class ``(..., K)``: above 0 where its trigger is smaller than the median, and above 2 suspicious.

    Infinite where all other sizes are the same and this one is not; NaN where a size is missing, or fewer than four are there.

    Args:
        sizes: Size of the smallest trigger of each class ``(..., K)``; NaN where there is none.
    """
    known = np.isfinite(sizes)
    enough = known.sum(-1, keepdims=True) >= FEWEST
    # Where there are too few, any numbers do: what is made of them is not given out.
    values = np.where(enough, np.where(known, sizes, np.nan), 0.0)
    below = np.nanmedian(values, axis=-1, keepdims=True) - values
    deviation = np.nanmedian(np.abs(below), axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        index: Array = np.where(below == 0, 0.0, below / (_NORMAL * deviation))
    return np.where(known & enough, index, np.nan)
