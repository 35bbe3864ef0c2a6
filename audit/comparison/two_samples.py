"""Tests of two samples: numbers and their intervals alone, where results row by row are missing or of other rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from audit.comparison.significance import Z95, Tested, two_sided
from classifier.metric import Metric
from classifier.statistics import clopper_pearson

# Past this many standard deviations a chance is 0 to any precision that matters.
_FARTHEST = 37.0


def compare_samples(old: Metric, new: Metric) -> Tested | None:
    """Whether two numbers differ; ``None`` where neither is a proportion nor has an interval to test by.

    On the same rows the numbers go together, and a test that takes them for two samples finds less: it errs to that side.

    Args:
        old: With a value.
        new: With a value.
    """
    first, second = _successes(old), _successes(new)
    if first is not None and second is not None:
        return _newcombe(first, old.n, second, new.n)
    return _intervals(old, new)


def _successes(metric: Metric) -> int | None:
    """How many of the samples had the property; ``None`` where the number is no proportion of its samples."""
    if metric.interval not in ("wilson", "clopper-pearson") or metric.n == 0:
        return None
    if metric.value is None or metric.low is None or metric.high is None:
        return None
    count = metric.value * metric.n
    if abs(count - round(count)) >= 1e-6 * max(1.0, count):
        return None
    # An area of 0 or 1 has such an interval too, of the rarer kind alone: taken for a share of all rows, it would look far surer.
    own = clopper_pearson(round(count), metric.n, metric.confidence)
    return round(count) if metric.interval == "wilson" or math.dist(own, (metric.low, metric.high)) < 1e-6 else None


def _newcombe(first: int, n: int, second: int, m: int) -> Tested:
    """The interval of the difference of two proportions (Newcombe, 1998, method 10), and where it begins to leave out 0."""
    difference = second / m - first / n

    def ends(z: float) -> tuple[float, float]:
        (low, high), (other_low, other_high) = _wilson(first, n, z), _wilson(second, m, z)
        below = math.hypot(second / m - other_low, high - first / n)
        above = math.hypot(other_high - second / m, first / n - low)
        return difference - below, difference + above

    low, high = ends(Z95)
    if difference == 0:
        return Tested("newcombe", low, high, 1.0)
    inside, outside = _FARTHEST, 0.0
    for _ in range(60):
        z = (inside + outside) / 2
        left_out = ends(z)[0] > 0 if difference > 0 else ends(z)[1] < 0
        inside, outside = (inside, z) if left_out else (z, outside)
    return Tested("newcombe", low, high, two_sided(outside))


def _wilson(successes: int, n: int, z: float) -> tuple[float, float]:
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _intervals(old: Metric, new: Metric) -> Tested | None:
    """The interval of a difference from the intervals of both (Zou and Donner, 2008); where these overlap, nothing is told."""
    before, after = _around(old), _around(new)
    if before is None or after is None:
        return None
    difference = after.value - before.value
    below = math.hypot(before.above, after.below)
    above = math.hypot(before.below, after.above)
    reach = below if difference > 0 else above
    if difference == 0:
        return Tested("intervals", -below, above, 1.0)
    # An interval without a width says nothing of chance.
    if reach == 0 or before.low == before.high or after.low == after.high:
        return None
    apart = after.low > before.high or after.high < before.low
    p_value = two_sided(Z95 * difference / reach) if apart else 1.0
    return Tested("intervals", difference - below, difference + above, p_value)


@dataclass(frozen=True)
class _Around:
    """A value, the ends of its interval, and how far these would be from it with a coverage of 95 %."""

    value: float
    low: float
    high: float
    below: float
    above: float


def _around(metric: Metric) -> _Around | None:
    if metric.value is None or metric.low is None or metric.high is None:
        return None
    scale = Z95 / float(special.ndtri((1 + metric.confidence) / 2))
    return _Around(metric.value, metric.low, metric.high, scale * (metric.value - metric.low), scale * (metric.high - metric.value))
