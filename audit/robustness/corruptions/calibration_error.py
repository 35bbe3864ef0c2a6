"""Expected calibration error: how far confidence is from accuracy, in bins of equal width (Naeini et al., 2015; Guo et al., 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifier.statistics import Array, WeightedStatistic


def calibration_statistic(confidence: Array, right: NDArray[np.bool_], *, bins: int = 15) -> WeightedStatistic:
    """The error as a statistic of weighted rows, each of which was asked about several times.

    ``sum over bins of |right - confidence|``, summed over the answers in the bin before it is taken absolutely, over the
    number of answers. Of few rows it is too large, since what chance leaves in a bin counts as an error.

    Args:
        confidence: Probability of the class that a row was taken for ``(M, N)``.
        right: Whether that was right ``(M, N)``.
        bins: How many bins there are between 0 and 1.

    Returns:
        From weights ``(B, N)`` to errors ``(B,)``.
    """
    times, rows = confidence.shape
    # Each bin holds its upper end, as the published one does.
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    excess = np.zeros((rows, bins))
    np.add.at(excess, (np.broadcast_to(np.arange(rows), place.shape), place), right - confidence)

    def error(weights: Array) -> Array:
        total: Array = np.abs(weights @ excess).sum(1) / (weights.sum(1) * times)
        return total

    return error
