"""The attack's result depends on the rows and the seed, not on how the work was cut."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from audit import Subject
from audit.check import make_check
from audit.robustness import Robustness, attack
from audit.robustness.attacks.apgd import APGD
from audit.robustness.attacks.apgd_targeted import TargetedAPGD
from audit.robustness.attacks.pgd import PGD
from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError
from classifier.seeds import Seed


class Plateau(nn.Module):
    """Flat around every row below, so that only a start at a random point sees a slope."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rise = (x.sum(1) - 1.2).relu() - 0.05
        return torch.stack([-rise, rise], dim=1)


def attacked(norm: str, seed: int) -> Robustness:
    features = (Feature("a", "continuous", low=0, high=1), Feature("b", "continuous", low=0, high=1))
    classifier = Classifier.wrap(Plateau(), schema=Schema("tabular", features), classes=("a", "b"))
    x, y = torch.full((60, 2), 0.5), torch.zeros(60, dtype=torch.int64)
    return attack(classifier, x, y, eps=0.25, norm=norm, suite=[PGD(steps=3, restarts=3)], seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_the_size_of_a_chunk_changes_nothing_even_at_random_starts(monkeypatch: pytest.MonkeyPatch, norm: str) -> None:
    whole = attacked(norm, seed=0)
    monkeypatch.setattr("audit.robustness.campaign._SIDE_BY_SIDE", 7)
    parts = attacked(norm, seed=0)
    assert 0 < whole.robust.sum() < 60
    assert torch.equal(whole.robust, parts.robust)
    assert torch.equal(whole.adversarial, parts.adversarial)


def test_another_seed_starts_elsewhere() -> None:
    first, again, other = (attacked("Linf", seed).adversarial for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_curve_falls_with_eps_and_valid_rows_are_harder_to_find(credit_subject: Subject) -> None:
    options = {"eps": [0.2, 0.02, 0.1], "suite": "quick", "limit": 80}
    evidence = make_check("robustness.attack", options).measure(credit_subject, Seed(0, ("robustness.attack",)))
    clean = evidence.metric("robustness.clean_accuracy").value
    valid, free = (
        [evidence.metric("robustness.accuracy", rows=rows, eps=eps).value for eps in (0.02, 0.1, 0.2)] for rows in ("valid", "any")
    )
    assert [clean, *valid] == sorted([clean, *valid], reverse=True)  # type: ignore[type-var]
    assert [clean, *free] == sorted([clean, *free], reverse=True)  # type: ignore[type-var]
    assert all(a <= v for a, v in zip(free, valid, strict=True))  # type: ignore[operator]
    assert {metric.bound for metric in evidence.metrics if metric.name == "robustness.accuracy"} == {"upper"}
    assert free[-1] < clean  # type: ignore[operator]


def test_steps_and_restarts_that_cannot_be_are_refused() -> None:
    for options in ({"steps": 0}, {"restarts": 0}):
        for kind in (PGD, APGD, TargetedAPGD):
            with pytest.raises(ConfigurationError, match=r"steps.*restarts must be at least 1"):
                kind(**options)
