"""Tests on the same rows: what each row gave before against what the same row gives now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from audit.comparison.significance import Tested
from classifier.seeds import Seed
from classifier.statistics import Array, clopper_pearson, midranks

# So many resamples, and of very many rows fewer: their standard deviation is all that is taken from them.
_RESAMPLES, _FEWEST, _MOST = 2000, 200, 2**25
_CHUNK = 2**22
# With fewer of either kind, the variance of an area is too badly known, and equal classifiers would be called different too often.
_FEWEST_OF_A_KIND = 8
Summary = Literal["mean", "least", "size", "range", "least_over_most"]
_SUMMARIES: dict[Summary, Callable[[Array], Array]] = {
    "mean": lambda ratios: ratios.mean(1),
    "least": lambda ratios: ratios.min(1),
    "size": lambda ratios: np.abs(ratios.mean(1)),
    "range": lambda ratios: ratios.max(1) - ratios.min(1),
    "least_over_most": lambda ratios: ratios.min(1) / ratios.max(1),
}


@dataclass(frozen=True)
class Hits:
    """Which rows have a property: the number is their share.

    Args:
        ids: Names of the rows ``(N,)``.
        hits: Whether each has it ``(N,)``.
    """

    ids: NDArray[np.int64]
    hits: NDArray[np.bool_]

    @property
    def value(self) -> float:
        """The share."""
        return float(np.mean(self.hits))


@dataclass(frozen=True)
class Scores:
    """A score a row, and which of them are to be told from the others: the number is the area under the ROC curve.

    Args:
        ids: Names of the rows ``(N,)``.
        scores: Higher for those that are to be told ``(N,)``.
        positive: Which these are ``(N,)``.
    """

    ids: NDArray[np.int64]
    scores: Array
    positive: NDArray[np.bool_]

    @property
    def value(self) -> float:
        """The area."""
        above, _ = _components(self)
        return float(above.mean())


@dataclass(frozen=True)
class Shares:
    """Parts of sums over the rows: the number is the ratio of two sums, and of several ratios their mean or the least.

    Args:
        ids: Names of the rows ``(N,)``.
        top: What is summed above the line ``(N, K)``.
        bottom: What is summed below it ``(N, K)``.
        summary: The ``"mean"`` of the K ratios, the ``"least"``, the ``"size"`` of the mean without its sign, their ``"range"``, or the
            ``"least_over_most"``.
    """

    ids: NDArray[np.int64]
    top: Array
    bottom: Array
    summary: Summary = "mean"

    @property
    def value(self) -> float:
        """The number on all rows."""
        return float(self.weighted(np.ones((1, len(self.ids))))[0])

    def weighted(self, weights: Array) -> Array:
        """The number of each resample ``(B,)`` from weights ``(B, N)``; NaN where a sum below the line is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios: Array = (weights @ self.top) / (weights @ self.bottom)
            return _SUMMARIES[self.summary](ratios)


Rows = Hits | Scores | Shares


def same_rows(old: Rows, new: Rows) -> tuple[Rows, Rows] | None:
    """Both in one order of their rows; ``None`` where these are not the same rows, each once, asked the same."""
    if type(old) is not type(new) or len(old.ids) != len(new.ids) or len(np.unique(old.ids)) != len(old.ids):
        return None
    first, second = _ordered(old), _ordered(new)
    if not np.array_equal(first.ids, second.ids):
        return None
    if isinstance(first, Scores) and isinstance(second, Scores) and not np.array_equal(first.positive, second.positive):
        return None
    return first, second


def compare_pairs(old: Rows, new: Rows) -> Tested | None:
    """Whether the same rows give another number now; ``None`` where they are too few, or too much alike, to tell.

    Args:
        old: What each row gave before.
        new: What the same rows, in the same order, give now.
    """
    if isinstance(old, Hits) and isinstance(new, Hits):
        return _mcnemar(old.hits, new.hits)
    if isinstance(old, Scores) and isinstance(new, Scores):
        return _delong(old, new)
    if isinstance(old, Shares) and isinstance(new, Shares):
        return _bootstrap(old, new)
    raise TypeError(f"{type(old).__name__} and {type(new).__name__} are no pair")


def _ordered(rows: Rows) -> Rows:
    order = np.argsort(rows.ids, kind="stable")
    if isinstance(rows, Hits):
        return Hits(rows.ids[order], rows.hits[order])
    if isinstance(rows, Scores):
        return Scores(rows.ids[order], rows.scores[order], rows.positive[order])
    return Shares(rows.ids[order], rows.top[order], rows.bottom[order], rows.summary)


def _mcnemar(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Tested:
    """The exact test of rows that turned one way against those that turned the other (McNemar, 1947)."""
    lost, won = int((old & ~new).sum()), int((new & ~old).sum())
    turned = lost + won
    if turned == 0:
        return Tested("mcnemar", 0.0, 0.0, 1.0, len(old), least=1.0)
    p_value = min(1.0, 2 * float(special.bdtr(min(lost, won), turned, 0.5)))
    # Given how many rows turned, the share of them that was won decides the difference.
    low, high = clopper_pearson(won, turned)
    return Tested(
        "mcnemar", (2 * low - 1) * turned / len(old), (2 * high - 1) * turned / len(old), p_value, len(old), least=0.5 ** (turned - 1)
    )


def _components(rows: Scores) -> tuple[Array, Array]:
    """For each positive row the share of the others below it, and for each of the others the share of positives above it."""
    positive, ranks = rows.positive, midranks(rows.scores)
    others = len(positive) - positive.sum()
    above = (ranks[positive] - midranks(rows.scores[positive])) / others
    below = 1 - (ranks[~positive] - midranks(rows.scores[~positive])) / positive.sum()
    return above, below


def _delong(old: Scores, new: Scores) -> Tested | None:
    """The test of two areas on the same rows (DeLong et al., 1988)."""
    positives = int(old.positive.sum())
    others = len(old.positive) - positives
    if min(positives, others) < _FEWEST_OF_A_KIND:
        return None
    parts = [after - before for before, after in zip(_components(old), _components(new), strict=True)]
    spreads = [float(part.var(ddof=1)) / len(part) for part in parts]
    variance = sum(spreads)
    # Welch and Satterthwaite: the rarer kind decides how well the variance is known.
    degrees = sum(spread**2 / (len(part) - 1) for spread, part in zip(spreads, parts, strict=True))
    freedom = variance**2 / degrees if degrees else float(min(positives, others) - 1)
    return _student("paired_delong", float(parts[0].mean()), variance**0.5, len(old.positive), freedom)


def _bootstrap(old: Shares, new: Shares) -> Tested | None:
    """The difference against its deviation over resamples of the rows, the same for both (Efron, 1979)."""
    n = len(old.ids)
    if n < 2:
        return None
    difference = new.value - old.value
    if np.array_equal(old.top, new.top) and np.array_equal(old.bottom, new.bottom):
        return Tested("paired_bootstrap", 0.0, 0.0, 1.0, n, least=1.0)
    generator = Seed(0, ("comparison", "rows")).numpy()
    resamples = int(np.clip(_MOST // n, _FEWEST, _RESAMPLES))
    chunk = max(1, _CHUNK // n)
    draws = []
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        drawn = generator.integers(0, n, (count, n)) + np.arange(count)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(float)
        draws.append(new.weighted(weights) - old.weighted(weights))
    found = np.concatenate(draws)
    found = found[np.isfinite(found)]
    if len(found) < resamples / 2 or not np.isfinite(difference):
        return None
    # A resample has the variance of a sample whose mean is known: n in place of n - 1.
    return _student("paired_bootstrap", difference, float(found.std(ddof=1)) * (n / (n - 1)) ** 0.5, n, n - 1)


def _student(
    method: Literal["paired_delong", "paired_bootstrap"], difference: float, error: float, rows: int, freedom: float
) -> Tested | None:
    """A difference against its standard error, by Student's distribution; ``None`` where nothing varies and yet something differs."""
    if error == 0:
        return Tested(method, difference, difference, 1.0, rows, least=1.0) if difference == 0 else None
    half = error * float(special.stdtrit(freedom, 0.975))
    p_value = float(2 * special.stdtr(freedom, -abs(difference / error)))
    return Tested(method, difference - half, difference + half, p_value, rows)
