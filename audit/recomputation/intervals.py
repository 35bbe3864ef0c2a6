"""The intervals that a record states, once more from counts and scores alone.

This is written after the papers, not after `classifier.statistics`, and imports none of what measured: a fault in the one does not
hide in the other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from math import exp, fsum, lgamma, log, sqrt
from statistics import NormalDist

Interval = tuple[float, float]
# Halvings of the interval from 0 to 1, until two doubles are left.
_HALVINGS = 60
# Of the continued fraction; about the root of the largest n is needed.
_MOST_TERMS, _TINY = 20_000, 1e-300


def wilson_interval(count: int, n: int, confidence: float = 0.95) -> Interval:
    """The proportions p for which ``|count / n - p|`` is at most z standard errors of p (Wilson, 1927): a quadratic in p."""
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    # (n + z^2) p^2 - (2 count + z^2) p + count^2 / n = 0
    a, b, c = n + z2, 2 * count + z2, count * count / n
    root = sqrt(max(0.0, b * b - 4 * a * c))
    return (0.0 if count == 0 else (b - root) / (2 * a)), (1.0 if count == n else (b + root) / (2 * a))


def exact_interval(count: int, n: int, confidence: float = 0.95) -> Interval:
    """The proportions that an equal-tailed binomial test does not reject (Clopper and Pearson, 1934)."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _solve(lambda p: _at_least(count, n, p) - tail)
    high = 1.0 if count == n else _solve(lambda p: tail - _at_least(n - count, n, 1 - p))
    return low, high


def area_under_curve(scores: Sequence[float], positive: Sequence[float]) -> float:
    """The chance that a positive scores more than a negative, ties counting half."""
    above, _ = _placements(scores, positive)
    return fsum(above) / len(above)


def delong_interval(scores: Sequence[float], positive: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """The area under the ROC curve and DeLong's interval on the logit scale (DeLong et al., 1988, eq. 5; Sun and Xu, 2014).

    Where the samples are separated, so that no variance is left, the ends are those of an exact proportion of the rarer kind.
    """
    above, below = _placements(scores, positive)
    area = fsum(above) / len(above)
    if area in (0.0, 1.0):
        rarer = min(len(above), len(below))
        return area, *exact_interval(round(area * rarer), rarer, confidence)
    error = sqrt(_variance(above) / len(above) + _variance(below) / len(below))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * error / (area * (1 - area))
    middle = log(area / (1 - area))
    return area, _logistic(middle - half), _logistic(middle + half)


def _placements(scores: Sequence[float], positive: Sequence[float]) -> tuple[list[float], list[float]]:
    """For each positive the share of negatives under it, and for each negative the share of positives over it."""
    hits = sorted(score for score, is_hit in zip(scores, positive, strict=True) if is_hit)
    others = sorted(score for score, is_hit in zip(scores, positive, strict=True) if not is_hit)
    above = [(bisect_left(others, score) + bisect_right(others, score)) / (2 * len(others)) for score in hits]
    below = [1 - (bisect_left(hits, score) + bisect_right(hits, score)) / (2 * len(hits)) for score in others]
    return above, below


def _variance(values: list[float]) -> float:
    middle = fsum(values) / len(values)
    return fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def _at_least(count: int, n: int, p: float) -> float:
    """The chance of at least `count` successes of `n`, which is the incomplete beta function I_p(count, n - count + 1)."""
    if not 0 < p < 1:
        return p
    a, b = count, n - count + 1
    # The fraction converges fast below the mean; above it, the other tail is taken.
    if p > (a + 1) / (a + b + 2):
        return 1 - _beta_fraction(b, a, 1 - p)
    return _beta_fraction(a, b, p)


def _beta_fraction(a: int, b: int, x: float) -> float:
    """I_x(a, b) by its continued fraction (DLMF 8.17.22), evaluated after Lentz."""
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    value, upper, lower = 1.0, 1.0, 0.0
    for step in range(_MOST_TERMS):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        lower = 1 / ((1 + term * lower) or _TINY)
        upper = (1 + term / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < 1e-16 and step:
            break
    return front * (value - 1)


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def _solve(rising: Callable[[float], float]) -> float:
    """Where a function that rises from below zero to above it is zero."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
