"""Classifiers and rows that the tests of `explain` share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema

PLAYERS = 8


def _random_network(inputs: int, outputs: int, *, seed: int = 0, hidden: int = 24) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.6 * torch.randn(parameter.shape, generator=generator))
    return module


def _numbers(count: int) -> Schema:
    return Schema("tabular", tuple(Feature(f"x{index}", "continuous", 0.0, 1.0) for index in range(count)))


@pytest.fixture(scope="session")
def random_network() -> Callable[..., nn.Module]:
    """Makes a network of two hidden layers from its numbers of inputs and outputs, and a seed."""
    return _random_network


@pytest.fixture(scope="session")
def numbers() -> Callable[[int], Schema]:
    """Makes a schema of so many numbers between 0 and 1."""
    return _numbers


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """Two classes, eight numbers."""
    return Classifier.wrap(_random_network(PLAYERS, 2), schema=_numbers(PLAYERS), classes=("good", "bad"))


@pytest.fixture(scope="session")
def ten_classes() -> Classifier:
    """Ten classes, eight numbers."""
    return Classifier.wrap(_random_network(PLAYERS, 10), schema=_numbers(PLAYERS), classes=[f"class {i}" for i in range(10)])


@pytest.fixture(scope="session")
def black_box(classifier: Classifier) -> Classifier:
    """The same function as `classifier`, of which only probabilities are to be had."""
    return Classifier.wrap(lambda x: classifier.probabilities(x), schema=classifier.schema, classes=classifier.classes)


@pytest.fixture(scope="session")
def x() -> Tensor:
    """Five rows."""
    return torch.rand(5, PLAYERS, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="session")
def background() -> Tensor:
    """Seven rows to compare with."""
    return torch.rand(7, PLAYERS, generator=torch.Generator().manual_seed(8))


@pytest.fixture(scope="session")
def credit() -> Classifier:
    """Two numbers in natural units and a categorical feature."""
    schema = Schema(
        "tabular",
        (
            Feature("amount", "integer", 0.0, 2000.0, unit="DM"),
            Feature("purpose <b>", "categorical", categories=("car", "tv & radio", "other")),
            Feature("rate", "continuous", 1.0, 3.0),
        ),
    )
    return Classifier.wrap(_random_network(5, 2, seed=3), schema=schema, classes=("good", "bad & <late>"))


@pytest.fixture(scope="session")
def applicants() -> Tensor:
    """Three rows for `credit`."""
    return torch.tensor([[0.5, 1.0, 0.0, 0.0, 0.25], [0.25, 0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0, 0.0]])
