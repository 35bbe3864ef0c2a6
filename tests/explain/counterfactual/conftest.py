"""Classifiers whose counterfactuals are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Relation, Schema
from explain.counterfactual.result import Counterfactuals


def _linear(weights: Sequence[float], bias: float, features: Sequence[Feature], relations: Sequence[Relation] = ()) -> Classifier:
    module = nn.Linear(len(weights), 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([list(weights)]))
        module.bias.fill_(bias)
    schema = Schema("tabular", tuple(features), tuple(relations))
    return Classifier.wrap(module, schema=schema, classes=("bad", "good"))


@pytest.fixture(scope="session")
def linear() -> Callable[..., Classifier]:
    """Makes a linear classifier of two classes from its weights on the encoded columns, its bias and its features."""
    return _linear


def _black_box(classifier: Classifier) -> Classifier:
    return Classifier.wrap(lambda x: classifier.probabilities(x), schema=classifier.schema, classes=classifier.classes)


@pytest.fixture(scope="session")
def boxed() -> Callable[[Classifier], Classifier]:
    """Makes a black box of a classifier."""
    return _black_box


def _typed_back(result: Counterfactuals) -> Tensor:
    z = result.inputs[result.row].clone()
    for index, changes in enumerate(result.changes()):
        row = result.schema.decode(z[index : index + 1])
        for change in changes:
            feature = result.schema[change.feature]
            word = change.after.removesuffix(f" {feature.unit}").replace(",", "")
            row[change.feature] = pd.Series([float(word) if feature.numeric else word], dtype=object)
        typed = result.schema.encode(row)
        for change in changes:
            columns = result.schema.groups[change.feature]
            z[index, columns] = typed[0, columns]
    return z


@pytest.fixture(scope="session")
def typed_back() -> Callable[[Counterfactuals], Tensor]:
    """Types what is told of each changed row of a table into its row ``(M, D)``, as a reader would."""
    return _typed_back


def _least_change(x: Tensor, weights: Tensor, bias: float) -> float:
    """The least sum of changes within [0, 1] that brings a linear logit to 0: the steepest features move first, to their bounds."""
    need = abs(float(x @ weights) + bias)
    sign = -1.0 if float(x @ weights) + bias > 0 else 1.0
    cost = 0.0
    for index in weights.abs().argsort(descending=True).tolist():
        rate = abs(float(weights[index]))
        room = 1 - float(x[index]) if sign * float(weights[index]) > 0 else float(x[index])
        if rate * room >= need:
            return cost + need / rate
        need -= rate * room
        cost += room
    return float("nan")


@pytest.fixture(scope="session")
def least_change() -> Callable[[Tensor, Tensor, float], float]:
    """Gives the closed form of the smallest change of a linear classifier."""
    return _least_change
