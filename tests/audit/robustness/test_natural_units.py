"""Values that are large beside their range: rounding carries nothing out of reach, and nothing that is in reach is lost."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from audit.robustness import attack
from audit.robustness.attacks.apgd import APGD
from audit.robustness.attacks.fab import FAB
from audit.robustness.attacks.pgd import PGD
from audit.robustness.attacks.square import Square
from audit.robustness.known_answers import linear_robust
from audit.robustness.method import Attack
from classifier import Classifier, Feature, Schema
from classifier.perturbation import Norm, PerturbationSet

SUITES: dict[str, str | tuple[Attack, ...]] = {
    "quick": "quick", "pgd": (PGD(restarts=2),), "apgd": (APGD(),), "fab": (FAB(),), "square": (Square(queries=1500),),
}  # fmt: skip


def years(width: int = 6) -> tuple[Classifier, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A linear classifier of years from 1990 to 2020, its rows and labels, and its weights on the unit scale."""
    generator = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(2, width, generator=generator), torch.zeros(2)
    unit = torch.rand(150, width, generator=generator)
    bias = -(unit @ weight.T).mean(0)
    layer = nn.Linear(width, 2)
    layer.weight.data = weight / 30
    layer.bias.data = bias - 1990 * weight.sum(1) / 30
    features = tuple(Feature(f"y{i}", "continuous", low=1990.0, high=2020.0) for i in range(width))
    classifier = Classifier.wrap(layer.double().float(), schema=Schema("tabular", features, encoding="natural"), classes=("a", "b"))
    x = 1990 + 30 * unit
    return classifier, x, classifier.predict(x), weight, bias


@pytest.mark.parametrize("name", SUITES)
def test_a_linear_classifier_of_years_is_broken_where_it_is_weak_and_nowhere_else(name: str) -> None:
    classifier, x, y, weight, bias = years()
    exact = linear_robust(weight, bias, (x - 1990) / 30, y, 0.1)
    found = attack(classifier, x, y, eps=0.1, suite=SUITES[name], constrained=False)
    # In single precision such sums are off by some ten thousandths, which decides one row or two.
    assert (found.robust != exact).sum() <= 2
    assert 0.2 < exact.double().mean() < 0.9
    assert "unbounded_fails" not in {flag.id for flag in found.flags}
    assert "not_monotone" not in {flag.id for flag in found.flags}


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_what_is_rounded_is_inside_and_next_to_what_was_meant(norm: Norm) -> None:
    classifier, x, _, _, _ = years()
    allowed = PerturbationSet.around(x, classifier.schema, eps=0.1, norm=norm, constrained=False)
    generator = torch.Generator().manual_seed(0)
    meant = allowed.in_units().project((x + 9 * torch.randn(x.shape, generator=generator)) / 30) * 30
    inside = allowed.rounded_inside(meant)
    assert (allowed.distance(inside) <= 0.1 + 1e-7).all()
    assert ((inside >= allowed.lower) & (inside <= allowed.upper)).all()
    assert (inside - meant).abs().max() < 2e-3
