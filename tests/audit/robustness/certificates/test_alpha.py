"""Alpha-CROWN: never below CROWN, and above it where the lines of corners can be chosen better."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from audit.robustness.certificates.margins import margin_lower_bounds
from classifier import Classifier
from classifier.seeds import Seed

Build = Callable[[str, int], Classifier]


@pytest.mark.parametrize("name", ["relu", "leaky", "pooled", "residual"])
def test_chosen_lines_are_never_looser_than_crowns_and_tighter_somewhere(random_network: Build, name: str) -> None:
    gain = 0.0
    for seed in range(3):
        classifier = random_network(name, seed)
        x = torch.rand(3, *classifier.schema.shape, generator=Seed(seed, ("x",)).torch())
        y = torch.arange(3)
        crown, alpha = (margin_lower_bounds(classifier, x, y, eps=0.2, method=m, steps=10) for m in ("crown", "alpha_crown"))  # type: ignore[arg-type]
        others = crown.isfinite()
        assert (alpha >= crown - 1e-9)[others].all()
        gain += float((alpha - crown)[others].sum())
    assert gain > 0.01


def test_without_corners_there_is_nothing_to_choose(random_network: Build) -> None:
    classifier = random_network("tanh", 0)
    x, y = torch.full((2, 5), 0.4), torch.tensor([0, 1])
    crown, alpha = (margin_lower_bounds(classifier, x, y, eps=0.2, method=m) for m in ("crown", "alpha_crown"))  # type: ignore[arg-type]
    assert torch.equal(crown, alpha)


def test_more_steps_never_loosen_a_bound(random_network: Build) -> None:
    classifier = random_network("relu", 5)
    x, y = torch.full((2, 5), 0.4), torch.tensor([0, 1])
    few, many = (margin_lower_bounds(classifier, x, y, eps=0.3, method="alpha_crown", steps=steps) for steps in (2, 12))
    assert (many >= few - 1e-9).all()
