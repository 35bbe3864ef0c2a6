"""Interval bounds as certificates: those of the ground floor, over any network that can be followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from audit.robustness.certificates.crown import bounded
from audit.robustness.certificates.margins import margin_lower_bounds
from audit.robustness.certificates.region import Region
from audit.robustness.certificates.tracing import traced
from classifier import Classifier, Feature, Schema
from classifier.bounds import interval_bounds, margin_bounds
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed

Build = Callable[[str, int], Classifier]


@pytest.mark.parametrize("name", ["relu", "gelu", "pooled", "logit"])
def test_layers_in_a_row_have_the_bounds_of_interval_training(random_network: Build, name: str) -> None:
    classifier = random_network(name, 2)
    assert classifier.module is not None
    x = torch.rand(4, *classifier.schema.shape, generator=Seed(0, ("x",)).torch())
    y = torch.arange(4) % len(classifier.classes)
    allowed = PerturbationSet.around(x, classifier.schema, eps=0.05, constrained=False)
    expected = -margin_bounds(classifier.module, *allowed.cube, y)
    bounds = margin_lower_bounds(classifier, x, y, eps=0.05, method="ibp")
    others = bounds.isfinite()
    if name == "pooled":
        # The mean is merged with the last layer too.
        assert (bounds >= expected - 1e-3)[others].all()
        assert (bounds > expected + 0.1)[others].any()
    else:
        assert torch.allclose(bounds[others], expected.double()[others], atol=2e-3, rtol=1e-3)
    region = Region.around(x, classifier.schema, eps=0.05, norm="Linf", constrained=False)
    boxes = bounded(traced(classifier.module, classifier.schema.shape), region, relax=False, tighten=False).boxes
    for own, theirs in zip(boxes[-1], interval_bounds(classifier.module, *allowed.cube), strict=True):
        assert torch.allclose(own, theirs.double(), atol=1e-3)


def test_the_region_holds_all_that_an_attack_may_reach_in_single_precision() -> None:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=-3.7, high=911.3) for i in range(50)), encoding="natural")
    generator = Seed(0, ("region",)).torch()
    x = torch.rand(200, 50, generator=generator) * 900 - 3
    for eps in (0.1, 1 / 3, 0.003):
        region = Region.around(x, schema, eps=eps, norm="Linf", constrained=False)
        allowed = PerturbationSet.around(x, schema, eps=eps, constrained=False)
        for far in (-1e4, 1e4):
            reached = allowed.project(x + far).double()
            assert (reached >= region.lower).all()
            assert (reached <= region.upper).all()


def test_what_cannot_change_stays_where_rows_are_constrained() -> None:
    features = (Feature("age", "continuous", low=0.0, high=1.0, mutable=False), Feature("sum", "continuous", low=0.0, high=1.0))
    layer = nn.Linear(2, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[4.0, 1.0], [0.0, 0.0]]), torch.zeros(2)
    classifier = Classifier.wrap(layer, schema=Schema("tabular", features), classes=("a", "b"))
    x, y = torch.tensor([[0.5, 0.5]]), torch.tensor([0])
    for constrained, worst in ((True, 2.5 - 0.1), (False, 2.5 - 0.5)):
        bound = margin_lower_bounds(classifier, x, y, eps=0.1, constrained=constrained)
        assert bound[0, 1].item() == pytest.approx(worst, abs=1e-4)
