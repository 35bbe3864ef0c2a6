"""Data, schemas and classifiers that the tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from classifier import Classifier, Dataset, Feature, Schema

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="session")
def german_credit() -> Dataset:
    """1,000 loans, 17 inputs of every kind, three protected attributes."""
    return Dataset.builtin("german-credit")


@pytest.fixture(scope="session")
def mixed_schema() -> Schema:
    """One feature of every kind, 8 encoded columns."""
    return Schema(
        "tabular",
        (
            Feature("rate", "continuous", low=-2.0, high=3.0),
            Feature("months", "integer", low=4.0, high=72.0, unit="months"),
            Feature("flag", "binary", low=0.0, high=1.0),
            Feature("married", "binary", categories=("no", "yes")),
            Feature("purpose", "categorical", categories=("car", "house", "school", "other")),
        ),
    )


@pytest.fixture(scope="session")
def linear_classifier(mixed_schema: Schema) -> Classifier:
    """Logits that are linear in the inputs of `mixed_schema`, with weights that are all different."""
    layer = nn.Linear(8, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1.0, 1.0, 16).reshape(2, 8))
        layer.bias.copy_(torch.tensor([0.25, -0.5]))
    return Classifier.wrap(layer, schema=mixed_schema, classes=("good", "bad"))


@pytest.fixture(scope="session")
def gunpoint() -> Path:
    """A folder with GunPoint_TRAIN.ts and GunPoint_TEST.ts."""
    return EXAMPLES / "gunpoint"


@pytest.fixture(scope="session")
def mutag() -> Path:
    """A folder with MUTAG in the TU format, and files that are none of it."""
    return EXAMPLES / "mutag"
