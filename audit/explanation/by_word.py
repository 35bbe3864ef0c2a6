"""Contributions where the same part stands at another place in every case: summed to what the part is, such as a word."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from audit.evidence import Table
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import Array, mean

#: Cases in which a word must occur to be told of; a mean of fewer says nothing of the word.
LEAST = 5
#: Words told of at most, those of the largest mean size.
MOST = 30


def importance_by_word(
    words: list[dict[str, str]], values: Array, present: NDArray[np.bool_], seed: Seed
) -> tuple[list[Metric], tuple[Table, ...]]:
    """How far a word moves the output, over the cases in which it occurs.

    Args:
        words: The word of each player, for each case.
        values: Contribution of each player ``(N, P)``.
        present: Which players a case has ``(N, P)``.
        seed: Of the intervals.

    Returns:
        The importance of each word, the largest first, and a table with its direction; no table where no word
        occurs often enough.
    """
    sums: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for case, of_case in enumerate(words):
        for word, value, there in zip(of_case.values(), values[case], present[case], strict=True):
            if there:
                sums[word][case] = sums[word].get(case, 0.0) + float(value)
    means = {word: np.array(list(of_word.values())) for word, of_word in sums.items() if len(of_word) >= LEAST}
    if not means:
        return [Metric.missing("explanation.importance", f"nothing occurs in {LEAST} of the explained cases", n=len(words))], ()
    largest = sorted(means, key=lambda word: (-np.abs(means[word]).mean(), word))[:MOST]
    metrics = [mean("explanation.importance", np.abs(means[word]), seed.child(word), better="neither") for word in largest]
    rows = tuple((word, len(means[word]), round(float(means[word].mean()), 4)) for word in largest)
    table = Table("words", ("word", "cases", "contribution"), rows)
    return [metric.measured_on(feature=word) for metric, word in zip(metrics, largest, strict=True)], (table,)
