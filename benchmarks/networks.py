"""The network that several benchmarks explain, and its output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema


def make_classifier(features: int) -> Classifier:
    """A random network of two hidden layers of 64."""
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(features)))
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return Classifier.wrap(module, schema=schema, classes=("no", "yes"))


def log_odds(classifier: Classifier) -> Callable[[Tensor], Tensor]:
    """The output that everyone explains."""
    module = classifier.module
    assert module is not None

    def function(x: Tensor) -> Tensor:
        logits = module(x)
        return logits[:, 1] - logits[:, 0]

    return function
