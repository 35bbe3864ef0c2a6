"""Classifiers whose log-odds are a formula of the inputs, with rows to look at them on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.schema import Feature, Schema

Formula = Callable[[Tensor], Tensor]
Case = tuple[Classifier, Dataset]


class _Network(nn.Module):
    def __init__(self, formula: Formula) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        return self.formula(x)


def _case(formula: Formula, x: np.ndarray, *, classes: tuple[str, ...] = ("no", "yes"), seed: int = 0) -> Case:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", scale=1.0) for i in range(x.shape[1])), encoding="natural")
    classifier = Classifier.wrap(_Network(formula), schema=schema, classes=classes)
    inputs = torch.tensor(x, dtype=torch.float32)
    probabilities = classifier.probabilities(inputs)
    labels = torch.multinomial(probabilities, 1, generator=torch.Generator().manual_seed(seed))[:, 0]
    return classifier, Dataset(inputs, labels, np.arange(len(x)), schema, classes, pd.DataFrame(index=range(len(x))))


@pytest.fixture(scope="session")
def case() -> Callable[..., Case]:
    """Makes a classifier of log-odds that are a formula of numbers in natural units, and a dataset of rows ``(N, D)``."""
    return _case


@pytest.fixture(scope="session")
def correlated() -> np.ndarray:
    """3,000 rows of two normal numbers with correlation 0.6, and one that has nothing to do with them."""
    generator = np.random.default_rng(0)
    covariance = [[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]]
    return generator.multivariate_normal([1.0, -0.5, 0.0], covariance, 3000)


@pytest.fixture(scope="session")
def mixed(mixed_schema: Schema, linear_classifier: Classifier) -> Case:
    """Rows with a feature of every kind, and a linear classifier of them."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "rate": generator.uniform(-2, 3, 200),
            "months": generator.integers(4, 73, 200),
            "flag": generator.integers(0, 2, 200),
            "married": generator.choice(["no", "yes"], 200),
            "purpose": generator.choice(["car", "house", "school", "other"], 200),
        }
    )
    inputs = mixed_schema.encode(frame)
    labels = linear_classifier.predict(inputs)
    data = Dataset(inputs, labels, np.arange(200), mixed_schema, linear_classifier.classes, pd.DataFrame(index=range(200)))
    return linear_classifier, data
