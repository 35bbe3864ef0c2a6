"""Reasons: at most four, only against the person, and only such as stand out from all others by a margin."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.sheet import reasons as module
from explain.sheet.reasons import MOST, Reasons, find_reasons

NAMES = ("debt", "income", "late", "age", "term", "rate")


def linear(weights: list[float], protected: tuple[str, ...] = ()) -> Classifier:
    """Two classes; each weight is what one feature adds to the log-odds of "refused"."""
    names = [*NAMES, *(f"more {i}" for i in range(len(weights)))][: len(weights)]
    layer = nn.Linear(len(weights), 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
        layer.bias.zero_()
    features = tuple(Feature(name, "continuous", 0.0, 1.0, protected=name in protected) for name in names)
    return Classifier.wrap(layer, schema=Schema("tabular", features), classes=("granted", "refused"))


def cases(width: int, count: int = 60, seed: int = 1) -> Tensor:
    return 0.2 + 0.1 * torch.rand(count, width, generator=torch.Generator().manual_seed(seed))


def reasons(classifier: Classifier, x: Tensor, background: Tensor, seed: int = 0) -> Reasons:
    favourable = torch.arange(len(background)) % 2 == 0
    return find_reasons(classifier, x, background, decided=1, favourable=favourable, seed=Seed(seed, ("test",)))


def names(found: Reasons) -> list[str]:
    return [reason.feature for reason in found.reasons]


def test_only_what_spoke_against_the_person_is_a_reason_the_heaviest_first() -> None:
    classifier = linear([2.0, -3.0, 4.0, 0.0])
    found = reasons(classifier, torch.tensor([[0.9, 0.9, 0.9, 0.9]]), cases(4))
    assert names(found) == ["late", "debt"]
    assert (found.refusal, found.cases) == (None, (60, 30))
    # Both lie about 0.65 above the other cases: the shares are those of their weights.
    assert [reason.share for reason in found.reasons] == pytest.approx([2 / 3, 1 / 3], abs=0.02)
    assert all(reason.value == "0.9" for reason in found.reasons)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ([6.0, 5.0, 4.0, 4.0, 2.0, 1.0], ["debt", "income", "late", "age"]),
        # Between 5 and 4 there is no gap; what 10 leads by is one.
        ([10.0, 5.0, 4.0, 4.0, 3.5, 3.0], ["debt"]),
        ([5.0, 4.0, 1.0, 1.0, 1.0, 1.0], ["debt", "income"]),
    ],
)
def test_at_most_four_are_named_and_the_cut_is_where_the_weights_leave_a_gap(weights: list[float], named: list[str]) -> None:
    found = reasons(linear(weights), torch.full((1, 6), 0.9), cases(6))
    assert sorted(names(found)) == sorted(named)
    assert len(found.reasons) <= MOST


def test_other_cases_and_other_seeds_give_the_same_reasons() -> None:
    black_box = linear([6.0, 5.0, 4.0, 1.0, 1.0, 1.0])
    black_box = Classifier.wrap(black_box.probabilities, schema=black_box.schema, classes=black_box.classes)
    x = torch.full((1, 6), 0.9)
    found = {tuple(names(reasons(black_box, x, cases(6, seed=seed), seed))) for seed in range(4)}
    assert found == {("debt", "income", "late")}


def test_features_that_weigh_alike_are_no_reasons_and_many_slight_ones_are_none_either() -> None:
    assert reasons(linear([1.0] * 6), torch.full((1, 6), 0.9), cases(6)).refusal == "unsteady"
    assert reasons(linear([0.4] * 30), torch.full((1, 30), 0.9), cases(30)).refusal == "slight"


def test_what_a_few_cases_alone_make_heavy_is_no_reason() -> None:
    background = torch.full((60, 2), 0.9)
    # Six of sixty cases set the person's debt apart; another sixty might hold two of them, or ten.
    background[::10, 0] = 0.0
    background[5::20, 0] = 0.0
    assert reasons(linear([2.0, -1.0]), torch.full((1, 2), 0.9), background).refusal == "unsteady"
    background[:, 0] = 0.0
    assert names(reasons(linear([2.0, -1.0]), torch.full((1, 2), 0.9), background)) == ["debt"]


def test_where_nothing_speaks_against_the_person_nothing_is_named() -> None:
    background = cases(4)
    assert reasons(linear([2.0, -3.0, 4.0, 1.0]), torch.tensor([[0.1, 0.9, 0.1, 0.1]]), background).refusal == "nothing"
    assert reasons(linear([0.0, 0.0, 0.0, 0.0]), torch.full((1, 4), 0.9), background).refusal == "nothing"


def test_a_protected_feature_that_weighs_is_not_hidden_behind_the_others() -> None:
    x = torch.full((1, 4), 0.9)
    assert reasons(linear([2.0, 1.0, 1.0, 3.0], protected=("age",)), x, cases(4)).refusal == "protected"
    # Nor where it is lighter than any of four others.
    assert reasons(linear([1.0, 1.0, 1.0, 0.9, 1.0], protected=("age",)), torch.full((1, 5), 0.9), cases(5)).refusal == "protected"
    # One that speaks for the person hides nothing, nor does one that hardly weighs.
    assert names(reasons(linear([2.0, 1.0, 1.0, -3.0], protected=("age",)), x, cases(4))) == ["debt", "income", "late"]
    assert names(reasons(linear([2.0, 1.0, 1.0, 0.01], protected=("age",)), x, cases(4))) == ["debt", "income", "late"]


def test_of_three_classes_what_adds_to_all_logits_alike_is_no_reason() -> None:
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        # Debt adds 5 to every class, and so changes no probability.
        layer.weight.copy_(torch.tensor([[5.0, 0.0, 0.0], [5.0, 0.0, 1.0], [5.0, 2.0, 0.0]]))
        layer.bias.zero_()
    schema = Schema("tabular", tuple(Feature(name, "continuous", 0.0, 1.0) for name in NAMES[:3]))
    classifier = Classifier.wrap(layer, schema=schema, classes=("granted", "review", "refused"))
    favourable, x = torch.arange(60) % 2 == 0, torch.full((1, 3), 0.9)
    found = find_reasons(classifier, x, cases(3), decided=2, wanted=0, favourable=favourable, seed=Seed(0, ("test",)))
    assert names(found) == ["income"]
    assert found.reasons[0].share == pytest.approx(1.0)


def test_too_few_cases_and_other_inputs_have_no_reasons() -> None:
    classifier = linear([2.0, 1.0])
    assert reasons(classifier, torch.full((1, 2), 0.9), cases(2, 38)).refusal == "few_cases"
    schema = Schema("sequence", (Feature("pulse", "continuous", 0.0, 1.0),), size=(4,))
    series = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), schema=schema, classes=("well", "ill"))
    assert reasons(series, torch.rand(1, 4, 1), torch.rand(20, 4, 1)).refusal == "not_a_table"
    with pytest.raises(ConfigurationError, match="for one decision, got 2"):
        reasons(classifier, torch.rand(2, 2), cases(2))


def test_the_same_seed_gives_the_same_reasons() -> None:
    classifier = linear([2.0, -3.0, 4.0, 0.0])
    x, background = torch.tensor([[0.9, 0.9, 0.9, 0.9]]), cases(4)
    assert reasons(classifier, x, background) == reasons(classifier, x, background)


def test_reasons_take_no_more_answers_of_the_classifier_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATIONS", 2**15)
    classifier = linear([2.0, -3.0, 4.0, 0.0] + [0.1] * 8)
    asked = 0

    def counted(x: Tensor) -> Tensor:
        nonlocal asked
        asked += len(x)
        return classifier.probabilities(x)

    black_box = Classifier.wrap(counted, schema=classifier.schema, classes=classifier.classes)
    asked = 0
    found = reasons(black_box, torch.full((1, 12), 0.9), cases(12, 400))
    assert names(found) == ["late", "debt"]
    assert found.cases == (32, 32)
    # Beside the coalitions each comparison asks for the input and for its cases.
    assert asked <= 2**15 * 1.02
