"""Expected calibration error without what chance alone leaves in the bins (Naeini et al., 2015; Kumar et al., 2019, arXiv:1909.10155)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifier.errors import DataError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array

# How much smaller or larger the true gaps of the bins may be than those that are seen.
_SCALES = np.linspace(0, 3, 121)


def measure_calibration(
    name: str, confidence: Array, right: NDArray[np.bool_], seed: Seed, *, bins: int = 15, draws: int = 1000, coverage: float = 0.95
) -> Metric:
    """How far confidence is from accuracy, in bins of equal width, of rows each of which was asked about several times.

    The error that is seen, ``sum over bins of |right - confidence|`` over the answers, is too large, since chance leaves a gap in
    every bin. So it is asked under which true gaps one would see it: those seen, all times one factor. The value is the true error
    whose mean would be what is seen, 0 where perfect calibration leaves as much; the interval, the errors under which what is seen
    is not among the rarest on either side.

    Args:
        name: Name of the metric.
        confidence: Probability of the class that a row was taken for ``(M, N)``.
        right: Whether that was right ``(M, N)``.
        seed: Where the draws come from.
        bins: How many bins there are between 0 and 1.
        draws: How many times the gaps that chance leaves are drawn.
        coverage: Of the interval.

    Raises:
        DataError: If the two do not match.
    """
    if confidence.ndim != 2 or confidence.shape != right.shape:
        raise DataError(f"confidence and right must be of one shape (M, N), got {confidence.shape} and {right.shape}")
    times, rows = confidence.shape
    if rows < bins:
        return Metric.missing(name, f"there are {rows} rows, fewer than the {bins} bins", n=rows)
    # Each bin holds its upper end, as the published one does.
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    at = (np.broadcast_to(np.arange(rows), place.shape), place)
    excess, spread = np.zeros((rows, bins)), np.zeros((rows, bins))
    np.add.at(excess, at, right - confidence)
    # The answers to one row go together, so that deviations add up, not variances.
    np.add.at(spread, at, np.sqrt(confidence * (1 - confidence)))
    gap = excess.sum(0) / (rows * times)
    # A wrong confidence tells a wrong deviation: the larger of what it tells and what the rows show.
    held = np.maximum((spread > 0).sum(0), 1)
    shown = ((excess - excess.sum(0) / held) ** 2 * (excess != 0)).sum(0)
    deviation = np.sqrt(np.maximum((spread**2).sum(0), shown)) / (rows * times)
    seen = float(np.abs(gap).sum())
    chance = seed.numpy().standard_normal((draws, bins)) * deviation
    drawn = np.stack([np.abs(scale * gap + chance).sum(1) for scale in _SCALES])
    tail = (1 - coverage) / 2
    least, most = np.quantile(drawn, (tail, 1 - tail), axis=1)
    value = float(_SCALES[np.abs(drawn.mean(1) - seen).argmin()]) if drawn[0].mean() < seen else 0.0
    fits = np.flatnonzero((least <= seen) & (seen <= most))
    low, high = (float(_SCALES[fits[0]]), float(_SCALES[fits[-1]])) if len(fits) else (value, value)
    return Metric(
        name, min(value * seen, 1.0), min(min(low, value) * seen, 1.0), min(max(high, value) * seen, 1.0), rows,
        confidence=coverage, interval="bootstrap", better="lower",
    )  # fmt: skip
