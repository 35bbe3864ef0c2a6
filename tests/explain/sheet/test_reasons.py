"""Reasons: at most four, only against the person, and only such as hold whatever one compares with."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.sheet.reasons import MOST, Reasons, find_reasons

SEED = Seed(0, ("test",))
NAMES = ("debt", "income", "late", "age", "term", "rate")


def linear(weights: list[float], protected: tuple[str, ...] = ()) -> Classifier:
    """Two classes; each weight is what one feature adds to the log-odds of "refused"."""
    features = tuple(Feature(name, "continuous", 0.0, 1.0, protected=name in protected) for name in NAMES[: len(weights)])
    layer = nn.Linear(len(weights), 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
        layer.bias.zero_()
    return Classifier.wrap(layer, schema=Schema("tabular", features), classes=("granted", "refused"))


def cases(width: int, count: int = 60) -> Tensor:
    return 0.2 + 0.1 * torch.rand(count, width, generator=torch.Generator().manual_seed(1))


def reasons(classifier: Classifier, x: Tensor, background: Tensor) -> Reasons:
    favourable = torch.arange(len(background)) % 2 == 0
    return find_reasons(classifier, x, background, decided=1, favourable=favourable, seed=SEED)


def test_only_what_spoke_against_the_person_is_a_reason_the_heaviest_first() -> None:
    classifier = linear([2.0, -3.0, 4.0, 0.0])
    found = reasons(classifier, torch.tensor([[0.9, 0.9, 0.9, 0.9]]), cases(4))
    assert [reason.feature for reason in found.reasons] == ["late", "debt"]
    assert found.refusal is None
    # Both lie about 0.65 above the other cases: the shares are those of their weights.
    assert [reason.share for reason in found.reasons] == pytest.approx([2 / 3, 1 / 3], abs=0.02)
    assert all(reason.steadiness == 1 and reason.value == "0.9" for reason in found.reasons)


def test_there_are_at_most_four() -> None:
    found = reasons(linear([6.0, 5.0, 4.0, 3.0, 2.0, 1.0]), torch.full((1, 6), 0.9), cases(6))
    assert [reason.feature for reason in found.reasons] == ["debt", "income", "late", "age"]
    assert len(found.reasons) == MOST


def test_what_changes_with_the_comparison_is_no_reason() -> None:
    background = cases(4)
    found = reasons(linear([2.0, -3.0, 4.0, 1.0]), background.mean(0, keepdim=True), background)
    assert (found.reasons, found.refusal) == ((), "unsteady")


def test_a_protected_feature_among_the_reasons_is_not_hidden_behind_the_others() -> None:
    x = torch.full((1, 4), 0.9)
    assert reasons(linear([2.0, 1.0, 1.0, 3.0], protected=("age",)), x, cases(4)).refusal == "protected"
    # One that speaks for the person hides nothing.
    found = reasons(linear([2.0, 1.0, 1.0, -3.0], protected=("age",)), x, cases(4))
    assert {reason.feature for reason in found.reasons} == {"debt", "income", "late"}


def test_a_classifier_that_refuses_by_chance_alone_has_no_reasons() -> None:
    assert reasons(linear([0.0, 0.0, 0.0, 0.0]), torch.full((1, 4), 0.9), cases(4)).refusal == "unsteady"


def test_too_few_cases_and_other_inputs_have_no_reasons() -> None:
    classifier = linear([2.0, 1.0])
    assert reasons(classifier, torch.full((1, 2), 0.9), cases(2, 6)).refusal == "few_cases"
    schema = Schema("sequence", (Feature("pulse", "continuous", 0.0, 1.0),), size=(4,))
    series = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), schema=schema, classes=("well", "ill"))
    assert reasons(series, torch.rand(1, 4, 1), torch.rand(20, 4, 1)).refusal == "not_a_table"
    with pytest.raises(ConfigurationError, match="for one decision, got 2"):
        reasons(classifier, torch.rand(2, 2), cases(2))


def test_the_same_seed_gives_the_same_reasons_and_a_black_box_has_them_too() -> None:
    classifier = linear([2.0, -3.0, 4.0, 0.0])
    x, background = torch.tensor([[0.9, 0.9, 0.9, 0.9]]), cases(4)
    assert reasons(classifier, x, background) == reasons(classifier, x, background)
    black_box = Classifier.wrap(lambda z: classifier.probabilities(z), schema=classifier.schema, classes=classifier.classes)
    assert [reason.feature for reason in reasons(black_box, x, background).reasons] == ["late", "debt"]
    assert replace(reasons(black_box, x, background), reasons=()).method == "kernel_shap"
