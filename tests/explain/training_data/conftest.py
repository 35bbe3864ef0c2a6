"""Classifiers whose influences are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Dataset
from classifier.schema import Feature, Schema


def _make_rows(count: int, features: int, classes: int, *, seed: int = 0, flipped: float = 0.0) -> Dataset:
    """Rows whose class is the largest of some linear functions, with noise; a share of the labels is flipped."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, features, generator=generator)
    truth = torch.randn(features, classes, generator=torch.Generator().manual_seed(99))
    logits = 6 * (x - 0.5) @ truth
    labels = (logits + torch.randn(logits.shape, generator=generator)).argmax(1)
    turn = torch.rand(count, generator=generator) < flipped
    labels = torch.where(turn, (labels + 1) % classes, labels)
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(features)))
    names = tuple(f"class {i}" for i in range(classes))
    return Dataset(x, labels, np.arange(100, 100 + count), schema, names, pd.DataFrame(index=range(count)))


def _fit_linear(rows: Dataset, *, l2: float, weights: Tensor | None = None, without: int | None = None) -> Classifier:
    """Logistic regression at its minimum, as a classifier whose record states its penalty and class weights.

    The penalty keeps its weight where a row is left out, as the influence of a row means it.
    """
    keep = torch.arange(len(rows)) != (-1 if without is None else without)
    x, y, classes = rows.inputs.double(), rows.labels, len(rows.classes)
    each = torch.ones(classes).double() if weights is None else weights.double()
    size = each[y].sum()
    width = x.shape[1]
    ones = torch.cat([x, torch.ones(len(x), 1).double()], dim=1)[keep]

    labels, each = nn.functional.one_hot(y[keep], classes).double(), each[y[keep]] / size
    # Newton's steps, by the textbook's formulas: the loss is convex, and the penalty makes it strictly so.
    flat = torch.zeros(classes * (width + 1)).double()
    for _ in range(10):
        p = (ones @ flat.reshape(classes, -1).T).softmax(1)
        slope = torch.einsum("n,nk,nd->kd", each, p - labels, ones).flatten() + l2 * flat
        spread = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
        curve = torch.einsum("n,nkl,nd,ne->kdle", each, spread, ones, ones).reshape(len(flat), -1)
        flat = flat - torch.linalg.solve(curve + l2 * torch.eye(len(flat)).double(), slope)
    layer = nn.Linear(width, classes)
    with torch.no_grad():
        layer.weight.copy_(flat.reshape(classes, -1)[:, :-1])
        layer.bias.copy_(flat.reshape(classes, -1)[:, -1])
    recipe = {"weight_decay": l2, "optimizer": "sgd"}
    card = {"training": {"recipe": recipe, "class_weights": None if weights is None else weights.tolist()}}
    return Classifier.wrap(layer, schema=rows.schema, classes=rows.classes, card=card)


def _make_network(features: int, classes: int, *, seed: int = 0, hidden: int = 12, outputs: int | None = None) -> nn.Module:
    """A small network of two layers."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, classes if outputs is None else outputs))


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., Dataset]:
    """See `_make_rows`."""
    return _make_rows


@pytest.fixture(scope="session")
def fit_linear() -> Callable[..., Classifier]:
    """See `_fit_linear`."""
    return _fit_linear


@pytest.fixture(scope="session")
def make_network() -> Callable[..., nn.Module]:
    """See `_make_network`."""
    return _make_network


@pytest.fixture(scope="session")
def rows() -> Dataset:
    """Sixty rows of six numbers and three classes."""
    return _make_rows(60, 6, 3)


@pytest.fixture(scope="session")
def network(rows: Dataset) -> Classifier:
    """A network for `rows` that was never trained."""
    return Classifier.wrap(_make_network(6, 3), schema=rows.schema, classes=rows.classes)


@pytest.fixture(scope="session")
def asked() -> Tensor:
    """Four inputs for `rows`."""
    return torch.rand(4, 6, generator=torch.Generator().manual_seed(5))
