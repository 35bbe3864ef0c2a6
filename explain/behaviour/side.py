"""Side: the values of one feature at which a classifier is asked, in natural units and encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.columns import decode_column, encode_column
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.schema import Feature
from explain.behaviour.answers import Answers, pieces


@dataclass(frozen=True, eq=False)
class Side:
    """A feature's values, in order.

    Args:
        feature: The feature.
        grid: The values ``(G,)``: numbers, or words of a categorical or binary feature.
        encoded: The feature's columns at each value ``(G, width)``.
        columns: Which columns of an input these are.
        cases: The feature's value in each row ``(N,)``.
    """

    feature: Feature
    grid: NDArray[Any]
    encoded: Tensor
    columns: slice
    cases: NDArray[Any]

    @property
    def listed(self) -> bool:
        """Whether its values are words."""
        return self.grid.dtype == object

    @property
    def places(self) -> NDArray[np.int64]:
        """For each row, the place of its value among those of the grid, where every value has one ``(N,)``."""
        if self.listed:
            return pd.Index(self.grid.astype(str)).get_indexer(pd.Index(self.cases.astype(str)))
        return np.searchsorted(self.grid, self.cases)

    @property
    def steps(self) -> NDArray[np.int64]:
        """For each row, the step of the grid that it lies on: from grid[k] to grid[k + 1], the upper end included ``(N,)``."""
        return np.clip(np.searchsorted(self.grid, self.cases, side="left") - 1, 0, len(self.grid) - 2)

    def reordered(self, order: NDArray[np.int64]) -> Side:
        """The same values in another order."""
        return Side(self.feature, self.grid[order], self.encoded[torch.from_numpy(order)], self.columns, self.cases)


def side_of(dataset: Dataset, name: str, points: int) -> Side:
    """A feature at values that occur in the data: every category, every value of a few, or quantiles of many.

    Args:
        dataset: The rows.
        name: The feature.
        points: Values of a number at most.

    Raises:
        ConfigurationError: If there is no such feature.
        NotApplicableError: If it has one value in all rows.
    """
    schema = dataset.schema
    if name not in schema.names:
        raise ConfigurationError(f"there is no feature {name!r}", remedy=did_you_mean(name, schema.names))
    feature = schema[name]
    columns = dataset.inputs[:, schema.groups[name]].cpu().double().numpy()
    cases = decode_column(feature, columns, schema.encoding)
    if feature.categories:
        grid = np.array([category for category in feature.categories if (cases == category).any()], dtype=object)
    else:
        cases = cases.astype(float)
        # Values that occur, so that a whole number stays one.
        grid = np.unique(np.quantile(cases, np.linspace(0, 1, points), method="inverted_cdf"))
        distinct = np.unique(cases)
        grid = distinct if len(distinct) <= points else grid
    if len(grid) < 2:
        raise NotApplicableError(f"{name!r} is {grid[0]} in all {len(cases)} rows, and nothing can be said of other values")
    encoded = torch.from_numpy(encode_column(feature, pd.Series(grid), schema.encoding))
    return Side(feature, grid, encoded, schema.groups[name], cases)


def answers_at(answers: Answers, x: Tensor, sides: Sequence[Side], rows: Tensor, places: Sequence[Tensor]) -> Tensor:
    """The answers to rows of which one or two features are at other values.

    Args:
        answers: What is asked.
        x: Inputs ``(N, D)``, on the classifier's device.
        sides: The features.
        rows: The row that each question is about ``(M,)``.
        places: For each side, the place of its value in the grid ``(M,)``.

    Returns:
        Answers ``(M, T)``.
    """
    parts = []
    for piece in pieces(len(rows), x):
        changed = x[rows[piece].to(x.device)]
        for side, place in zip(sides, places, strict=True):
            changed[:, side.columns] = side.encoded[place[piece]].to(changed)
        parts.append(answers(changed))
    return torch.cat(parts)
