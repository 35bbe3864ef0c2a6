"""How a number measured on samples is stated: intervals, and the statistics they are made of.

Everything takes and returns NumPy arrays. A statistic of weighted samples takes weights ``(B, N)``, one
row a resample, so that a bootstrap is a few matrix products.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from classifier.metric import Better, Bound, Metric
from classifier.seeds import Seed

Array = NDArray[np.float64]
WeightedStatistic = Callable[[Array], Array]

# Weights are made for this many samples at a time; 2**24 doubles are 128 MiB.
_CHUNK = 2**24


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, 1927).

    Args:
        successes: How many of `n` had the property.
        n: How many there were, at least 1.
        confidence: Coverage.
    """
    z = float(special.ndtri((1 + confidence) / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the ends the score interval touches 0 and 1; rounding must not push it off.
    return (0.0 if successes == 0 else float(centre - half), 1.0 if successes == n else float(centre + half))


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a proportion (Clopper and Pearson, 1934)."""
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def proportion(
    name: str,
    hits: NDArray[np.bool_],
    *,
    confidence: float = 0.95,
    interval: str = "wilson",
    better: Better = "higher",
    bound: Bound = "estimate",
    empty: str = "no sample",
) -> Metric:
    """The share of samples that have a property, with its interval.

    Args:
        name: Name of the metric.
        hits: Which samples have the property ``(N,)``.
        confidence: Coverage.
        interval: ``"wilson"`` or ``"clopper-pearson"``.
        better: Which direction is better.
        bound: What kind of number it is.
        empty: The reason to give where there is no sample.
    """
    n = len(hits)
    if n == 0:
        return Metric.missing(name, empty)
    successes = int(np.count_nonzero(hits))
    low, high = {"wilson": wilson, "clopper-pearson": clopper_pearson}[interval](successes, n, confidence)
    return Metric(name, successes / n, low, high, n, confidence=confidence, interval=interval, better=better, bound=bound)


def bootstrap(
    name: str,
    statistic: WeightedStatistic,
    n: int,
    seed: Seed,
    *,
    strata: NDArray[np.int64] | None = None,
    resamples: int = 2000,
    confidence: float = 0.95,
    better: Better = "higher",
) -> Metric:
    """A statistic with its bias-corrected percentile bootstrap interval (Efron, 1987, with zero acceleration).

    Args:
        name: Name of the metric.
        statistic: From weights ``(B, N)`` to values ``(B,)``; NaN where a resample lacks what it needs.
        n: How many samples there are.
        seed: Where the resamples come from.
        strata: Resample within these classes ``(N,)``, so that each keeps its size.
        resamples: How many resamples.
        confidence: Coverage.
        better: Which direction is better.
    """
    if n == 0:
        return Metric.missing(name, "no sample")
    value = float(statistic(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return Metric.missing(name, "the samples lack what this number needs", n=n)
    generator = seed.numpy()
    rows = max(1, min(resamples, _CHUNK // n))
    draws = []
    for start in range(0, resamples, rows):
        draws.append(statistic(_weights(generator, min(rows, resamples - start), n, strata)))
    replicates = np.concatenate(draws)
    replicates = replicates[np.isfinite(replicates)]
    if len(replicates) < resamples / 2:
        return Metric.missing(name, f"{resamples - len(replicates)} of {resamples} resamples lack what this number needs", n=n)
    low, high = _bias_corrected(replicates, value, confidence)
    return Metric(name, value, low, high, n, confidence=confidence, interval="bootstrap", better=better)


def _weights(generator: np.random.Generator, rows: int, n: int, strata: NDArray[np.int64] | None) -> Array:
    weights = np.zeros((rows, n))
    for members in [np.arange(n)] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]:
        # Multinomial counts by counting drawn indices: far faster than one multinomial draw a resample.
        drawn = generator.integers(0, len(members), (rows, len(members)))
        offsets = np.arange(rows)[:, None] * len(members)
        counts = np.bincount((drawn + offsets).ravel(), minlength=rows * len(members))
        weights[:, members] = counts.reshape(rows, len(members))
    return weights


def _bias_corrected(replicates: Array, value: float, confidence: float) -> tuple[float, float]:
    # Half of the ties count as below, or a statistic on a lattice would look biased.
    below = (np.mean(replicates < value) + np.mean(replicates <= value)) / 2
    shift = special.ndtri(np.clip(below, 1 / len(replicates), 1 - 1 / len(replicates)))
    z = special.ndtri((1 + confidence) / 2)
    low, high = np.quantile(replicates, special.ndtr([2 * shift - z, 2 * shift + z]))
    return float(low), float(high)


def mean(name: str, values: Array, seed: Seed, *, better: Better = "higher", strata: NDArray[np.int64] | None = None) -> Metric:
    """The mean of one value a sample ``(N,)``, with its bootstrap interval."""
    return bootstrap(name, lambda weights: (weights @ values) / weights.sum(1), len(values), seed, strata=strata, better=better)


def midranks(values: Array) -> Array:
    """Ranks from 1, ties sharing their mean rank ``(N,)``."""
    _, place, equal = np.unique(values, return_inverse=True, return_counts=True)
    # Equal values share the middle of their ranks.
    ranks: Array = (equal.cumsum() - (equal - 1) / 2)[place]
    return ranks


def roc_auc(scores: Array, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties counting half."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    return float((midranks(scores)[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc_auc_metric(name: str, scores: Array, positive: NDArray[np.bool_], *, confidence: float = 0.95, better: Better = "higher") -> Metric:
    """Area under the ROC curve with DeLong's interval on the logit scale (DeLong et al., 1988; Sun and Xu, 2014).

    Args:
        name: Name of the metric.
        scores: One score a sample ``(N,)``, higher for the positive class.
        positive: Which samples are positive ``(N,)``.
        confidence: Coverage.
        better: Which direction is better.
    """
    n, positives = len(scores), int(positive.sum())
    negatives = n - positives
    if min(positives, negatives) < 2:
        return Metric.missing(name, f"needs 2 samples of each kind, there are {positives} and {negatives}", n=n)
    ranks = midranks(scores)
    # Structural components: for each positive the share of negatives below it, and the other way round.
    above = (ranks[positive] - midranks(scores[positive])) / negatives
    below = 1 - (ranks[~positive] - midranks(scores[~positive])) / positives
    value = float(above.mean())
    if value in (0.0, 1.0):
        # Separated samples have no variance; the exact binomial bound on the rarer kind still holds.
        low, high = clopper_pearson(round(value * min(positives, negatives)), min(positives, negatives), confidence)
        return Metric(name, value, low, high, n, confidence=confidence, interval="clopper-pearson", better=better)
    variance = above.var(ddof=1) / positives + below.var(ddof=1) / negatives
    half = special.ndtri((1 + confidence) / 2) * np.sqrt(variance) / (value * (1 - value))
    logit = special.logit(value)
    low, high = special.expit(logit - half), special.expit(logit + half)
    return Metric(name, value, float(low), float(high), n, confidence=confidence, interval="delong", better=better)


def roc_curve(scores: Array, positive: NDArray[np.bool_]) -> tuple[Array, Array]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    true = np.r_[0, hits[last]] / max(1, hits[-1])
    false = np.r_[0, (last + 1) - hits[last]] / max(1, len(scores) - hits[-1])
    return false, true


def p_value(observed: float, permuted: Array) -> float:
    """Share of permuted statistics at least as large as the observed one, which counts itself (Phipson and Smyth, 2010)."""
    return float((1 + np.count_nonzero(permuted >= observed - 1e-12)) / (1 + len(permuted)))


def samples_to_decide(metric: Metric, limit: float) -> int | None:
    """About how many samples would put `limit` outside the interval, if the value stayed; ``None`` if none would."""
    if metric.value is None or metric.low is None or metric.high is None or metric.value == limit:
        return None
    half = metric.value - metric.low if limit < metric.value else metric.high - metric.value
    return int(np.ceil(metric.n * (half / abs(metric.value - limit)) ** 2))
