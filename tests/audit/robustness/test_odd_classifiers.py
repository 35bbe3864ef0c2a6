"""Classifiers and callers that attacks must answer honestly: no slope, one answer for all, NaN, an attack of one's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from audit.robustness import attack, nearest_wrong
from audit.robustness.attempt import Attempt
from audit.robustness.method import Attack
from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.seeds import Seed

SCHEMA = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(4)))


class Steps(nn.Module):
    """Counts the inputs above a threshold: no gradient leads back to them."""

    def forward(self, x: Tensor) -> Tensor:
        above = (x > 0.5).float().sum(1) - 2.5
        return torch.stack([-above, above], 1)


class Constant(nn.Module):
    """Always the first class."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum(1) * 0 + 1, x.sum(1) * 0], 1)


class Holes(nn.Module):
    """NaN in a corner."""

    def forward(self, x: Tensor) -> Tensor:
        z = torch.stack([x[:, 0], 1 - x[:, 0]], 1)
        return torch.where(x[:, 1:2] > 0.9, torch.nan, z)


@dataclass(frozen=True)
class Corner(Attack):
    """The corner of the ball where everything is largest."""

    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        rows = attempt.standing
        attempt.submit(attempt.allowed[rows].project(attempt.allowed.centre[rows] + 1), rows)


def case(module: nn.Module) -> tuple[Classifier, Tensor, Tensor]:
    classifier = Classifier.wrap(module, schema=SCHEMA, classes=("a", "b"))
    x = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
    return classifier, x, classifier.predict(x)


@pytest.mark.parametrize("suite", ["quick", "standard"])
def test_a_network_without_any_slope_is_flagged_and_searched(suite: str) -> None:
    classifier, x, y = case(Steps())
    result = attack(classifier, x, y, eps=0.3, suite=suite, constrained=False)
    assert "zero_gradients" in {flag.id for flag in result.flags}
    # Each input may cross one half where it is within eps of it: enough that may decides.
    up, down = (x + 0.3 > 0.5).sum(1), (x - 0.3 > 0.5).sum(1)
    exact = torch.where(y == 1, down > 2.5, up < 2.5)
    assert (result.robust >= exact).all()
    assert suite == "quick" or torch.equal(result.robust, exact)


def test_a_constant_classifier_is_proven_and_not_doubted_and_teaches_no_surrogate() -> None:
    layer = nn.Linear(4, 2)
    layer.weight.data, layer.bias.data = torch.zeros(2, 4), torch.tensor([1.0, 0.0])
    classifier, x, y = case(layer)
    result = attack(classifier, x, y, eps=0.3, suite="standard", constrained=False)
    assert result.robust.all()
    assert result.certified.all()
    assert result.flags == ()
    thorough = attack(classifier, x, y, eps=0.3, suite="thorough", constrained=False, prove=False)
    assert thorough.robust.all()
    assert [left.partition(":")[0] for left in thorough.left_out] == ["transfer"]


def test_answers_that_are_not_finite_are_refused_on_rows_that_count_as_wrong_too() -> None:
    classifier, x, _ = case(Holes())
    with pytest.raises(DataError, match="not finite"):
        attack(classifier, x, torch.ones(60, dtype=torch.int64), eps=0.1)
    with pytest.raises(DataError, match="not finite"):
        nearest_wrong(classifier, x, torch.ones(60, dtype=torch.int64))


def test_an_attack_of_ones_own_is_taken() -> None:
    layer = nn.Linear(4, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[-1.0] * 4, [1.0] * 4]), torch.tensor([2.0, -2.0])
    classifier, x, y = case(layer)
    result = attack(classifier, x, y, eps=0.2, suite=[Corner()], constrained=False)
    assert result.broken == {"test_odd_classifiers": int(((y == 0) & ((x + 0.2).clamp(0, 1).sum(1) > 2)).sum())}


@pytest.mark.parametrize("eps", [-0.1, float("inf"), float("nan")])
def test_a_radius_that_cannot_be_is_refused(eps: float) -> None:
    classifier, x, y = case(Constant())
    with pytest.raises(ConfigurationError, match="eps must be at least 0 and finite"):
        attack(classifier, x, y, eps=eps)


def test_inputs_and_labels_of_another_form_are_refused() -> None:
    classifier, x, y = case(Constant())
    for inputs, labels, wrong in (
        (x[:, :3], y, r"needs inputs \(N, 4\), got \(60, 3\)"),
        (x, y.float(), "needs whole labels, got torch.float32"),
        (x, y[:, None], r"a label for each, got 60 rows and labels of the shape \(60, 1\)"),
    ):
        with pytest.raises(DataError, match=wrong):
            attack(classifier, inputs, labels, eps=0.1)
    assert torch.equal(attack(classifier, x.double(), y.int(), eps=0.1).robust, attack(classifier, x, y, eps=0.1).robust)


def test_a_text_classifier_is_sent_to_the_attacks_on_texts() -> None:
    from classifier.tokenizer import SPECIAL

    schema = Schema(
        "text", (Feature("text", "text", categories=(*SPECIAL, "good", "bad"), low=0.0, high=float(len(SPECIAL) + 1)),), size=(3,)
    )
    classifier = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=schema, classes=("a", "b"))
    with pytest.raises(NotApplicableError, match="attack_texts edits texts"):
        attack(classifier, torch.full((2, 3), len(SPECIAL)), torch.zeros(2, dtype=torch.int64), eps=0.1)
