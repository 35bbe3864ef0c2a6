"""Cases: the rows that a behaviour is measured on, what their features have to do with each other, and how far chance goes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.seeds import Seed

# From this rank correlation on, features that are changed alone make rows unlike any in the data.
STRONG = 0.7


class Association(NamedTuple):
    """Two features that go together: the largest rank correlation between their encoded columns."""

    first: str
    second: str
    correlation: float

    def __str__(self) -> str:
        return f"{self.first} and {self.second} ({self.correlation:+.2f})".replace("-", "−")


def draw_cases(classifier: Classifier, dataset: Dataset, rows: int, seed: Seed) -> Dataset:
    """At most so many rows of a dataset, in its order.

    Raises:
        ConfigurationError: See `draw_places`.
        DataError: If they are not finite.
    """
    places = draw_places(classifier, dataset, rows, seed)
    cases = dataset if len(places) == len(dataset) else dataset[places]
    require_finite(cases)
    return cases


def draw_places(classifier: Classifier, dataset: Dataset, rows: int, seed: Seed) -> NDArray[np.int64]:
    """Where in a dataset at most so many of its rows stand, in its order ``(n,)``.

    Raises:
        ConfigurationError: If the data are encoded otherwise than the classifier takes them, or there are too few rows.
    """
    _require_same_inputs(classifier, dataset)
    if rows < 2:
        raise ConfigurationError(f"rows must be at least 2, got {rows}")
    return np.sort(seed.child("cases").numpy().permutation(len(dataset))[:rows]) if rows < len(dataset) else np.arange(len(dataset))


def _require_same_inputs(classifier: Classifier, dataset: Dataset) -> None:
    """Refuse data that the classifier would misread, and fewer than two rows."""
    if dataset.schema != classifier.schema:
        raise ConfigurationError(
            "the classifier takes other inputs than the data hold: their schemas differ",
            remedy="read the data with schema=classifier.schema",
        )
    if len(dataset) < 2:
        raise ConfigurationError(f"a behaviour over the data needs at least 2 rows, got {len(dataset)}")


def require_finite(dataset: Dataset) -> None:
    """Refuse missing values, which a dataset that was put together by hand may hold.

    Raises:
        DataError: With the first row that has one.
    """
    wrong = ~dataset.inputs.isfinite().flatten(1).all(1)
    if wrong.any():
        first = dataset.ids[int(wrong.int().argmax())]
        raise DataError(
            f"the data must be finite, and {int(wrong.sum())} of {len(dataset)} rows are not, first row {first}",
            remedy="fill or drop missing values first",
        )


def require_table(classifier: Classifier, what: str, remedy: str) -> None:
    """Refuse inputs that are no rows of a table.

    Raises:
        NotApplicableError: If they are of another modality.
    """
    if classifier.schema.modality != "tabular":
        raise NotApplicableError(
            f"{what} is of the features of a table, and the inputs are of modality {classifier.schema.modality}", remedy=remedy
        )


def resample_weights(count: int, resamples: int, seed: Seed) -> NDArray[np.float64]:
    """How often each row is drawn in each resample with replacement ``(B, N)``."""
    generator = seed.child("bootstrap").numpy()
    return np.stack([np.bincount(generator.integers(0, count, count), minlength=count) for _ in range(resamples)]).astype(np.float64)


def associations(dataset: Dataset) -> list[Association]:
    """Pairs of a table's features whose rank correlation is at least `STRONG` in size, the strongest first.

    Of categories it is the largest over their one-hot columns, so it sees only a category that goes with one value.
    """
    from scipy.stats import rankdata

    ranks = rankdata(dataset.inputs.cpu().numpy(), axis=0)
    spread = ranks.std(0)
    scaled = (ranks - ranks.mean(0)) / np.where(spread > 0, spread, 1)
    correlation = scaled.T @ scaled / len(ranks)
    found = []
    schema = dataset.schema
    for place, first in enumerate(schema.names):
        for second in schema.names[place + 1 :]:
            block = correlation[schema.groups[first], schema.groups[second]]
            strongest = float(block.flat[np.abs(block).argmax()])
            if abs(strongest) >= STRONG:
                found.append(Association(first, second, strongest))
    return sorted(found, key=lambda pair: -abs(pair.correlation))


def weighted_counts(weights: NDArray[np.float64], places: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """The sum of weights ``(B, N)`` at each place ``(B, size)``."""
    sums = np.zeros((len(weights), size))
    order = np.argsort(places, kind="stable")
    present, starts = np.unique(places[order], return_index=True)
    sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums
