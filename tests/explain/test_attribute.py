"""`attribute`: what it chooses, what it explains, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import explain
from classifier.adapters.function import from_function
from classifier.classifier import Classifier
from classifier.errors import AssayError, ConfigurationError, DataError, ModelError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Feature, Schema
from explain import Explanation, attribute, available


def test_every_public_name_is_one_of_this_package() -> None:
    assert {"Explanation", "attribute", "available", "counterfactuals", "dependence", "training_influence"} <= set(explain.__all__)
    for name in explain.__all__:
        assert getattr(explain, name).__module__.startswith("explain."), name


def test_auto_is_exact_where_that_is_affordable_and_says_what_it_took(classifier: Classifier, black_box: Classifier, x: Tensor) -> None:
    assert attribute(classifier, x).method == "exact_shapley"
    assert attribute(black_box, x).method == "exact_shapley"


@pytest.mark.parametrize(
    ("differentiable", "background", "expected"),
    [(True, 1, "exact_integrated_gradients"), (False, 1, "permutation_shap"), (True, 2, "kernel_shap"), (False, 2, "kernel_shap")],
)
def test_auto_estimates_where_enumeration_is_too_much(
    differentiable: bool, background: int, expected: str, random_network: Callable[..., nn.Module], numbers: Callable[[int], Schema]
) -> None:
    module = random_network(25, 2)
    model: Any = module if differentiable else lambda x: module(x).softmax(1)
    wide = Classifier.wrap(model, schema=numbers(25), classes=("no", "yes"))
    rows = torch.rand(1, 25, generator=torch.Generator().manual_seed(0))
    baseline = None if background == 1 else torch.rand(2, 25, generator=torch.Generator().manual_seed(1))
    assert attribute(wide, rows, baseline=baseline).method == expected


def test_auto_takes_the_next_method_where_one_turns_out_not_to_hold(numbers: Callable[[int], Schema]) -> None:
    class Branching(nn.Module):
        """What it computes beside its layers shows only when it runs."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(25, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x).square() if x.sum() > -1e9 else self.layer(x)

    wide = Classifier.wrap(Branching(), schema=numbers(25), classes=("no", "yes"))
    rows = torch.rand(2, 25, generator=torch.Generator().manual_seed(0))
    assert attribute(wide, rows).method == "integrated_gradients"
    with pytest.raises(NotApplicableError, match="bends"):
        attribute(wide, rows, "exact_integrated_gradients")


def test_available_says_why_not(black_box: Classifier) -> None:
    entries = {entry.method: entry for entry in available(black_box, rows=2**17)}
    assert not entries["integrated_gradients"].applies
    assert "gradients" in entries["integrated_gradients"].reason
    assert "kernel_shap" in entries["exact_shapley"].reason
    assert entries["kernel_shap"].applies
    assert entries["kernel_shap"].reason == ""


def test_two_classes_explain_the_event_and_more_the_predicted_class(classifier: Classifier, ten_classes: Classifier, x: Tensor) -> None:
    two, ten = attribute(classifier, x), attribute(ten_classes, x)
    assert two.target.tolist() == [1] * 5
    assert (two.output, ten.output) == ("log_odds", "logit")
    assert torch.equal(ten.target, ten_classes.predict(x))
    logits = classifier.logits(x)
    assert torch.allclose(two.value.float(), logits[:, 1] - logits[:, 0])
    assert torch.allclose(ten.value.float(), ten_classes.logits(x).amax(1))


def test_the_other_class_has_the_opposite_log_odds(classifier: Classifier, x: Tensor) -> None:
    event, other = attribute(classifier, x, target="bad"), attribute(classifier, x, target=0)
    assert torch.allclose(event.attributions, -other.attributions, atol=1e-6)


@pytest.mark.parametrize("method", ["integrated_gradients", "exact_shapley"])
def test_the_probability_can_be_explained(method: str, ten_classes: Classifier, x: Tensor) -> None:
    explanation = attribute(ten_classes, x, method, output="probability", target=[0, 1, 2, 3, 4])
    assert torch.allclose(explanation.value.float(), ten_classes.probabilities(x)[range(5), range(5)])
    assert explanation.completeness_error.max() < 0.02


def test_the_baseline_is_the_cards_else_neutral(classifier: Classifier, x: Tensor) -> None:
    recorded = [0.1 * i for i in range(8)]
    carded = Classifier.wrap(classifier.module, schema=classifier.schema, classes=classifier.classes, card={"baseline": recorded})
    assert torch.allclose(attribute(carded, x).baseline, torch.tensor(recorded))
    assert torch.equal(attribute(classifier, x).baseline, modality_of(classifier.schema).neutral())


def test_the_base_value_is_the_mean_over_the_background(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    logits = classifier.logits(background)
    expected = (logits[:, 1] - logits[:, 0]).mean()
    for method in ("exact_shapley", "kernel_shap", "permutation_shap"):
        explanation = attribute(classifier, x, method, baseline=background)
        assert torch.allclose(explanation.base_value.float(), expected.expand(5), atol=1e-5)
        assert explanation.baseline.shape == (7, 8)


def test_each_row_can_have_its_own_baseline_under_integrated_gradients(classifier: Classifier, x: Tensor) -> None:
    baselines = x.flip(0)
    explanation = attribute(classifier, x, "integrated_gradients", baseline=baselines)
    alone = attribute(classifier, x[:1], "integrated_gradients", baseline=baselines[0])
    assert torch.allclose(explanation.attributions[:1], alone.attributions, atol=1e-6)
    assert torch.equal(explanation[1:3].baseline, baselines[1:3])


WRONG: list[tuple[str, Callable[[Classifier, Tensor], Any], type[AssayError], str]] = [
    ("method", lambda c, x: attribute(c, x, "kernal_shap"), ConfigurationError, "did you mean 'kernel_shap'"),
    ("option", lambda c, x: attribute(c, x, "kernel_shap", sample=9), ConfigurationError, "no option 'sample'; did you mean 'samples'"),
    ("option of auto", lambda c, x: attribute(c, x, steps=9), ConfigurationError, "options need a named method"),
    ("steps", lambda c, x: attribute(c, x, "integrated_gradients", steps=0), ConfigurationError, "steps must be at least 1, got 0"),
    ("permutations", lambda c, x: attribute(c, x, "permutation_shap", permutations=1), ConfigurationError, "at least 2"),
    ("target", lambda c, x: attribute(c, x, target=2), ConfigurationError, "target must lie in 0 to 1, got 2"),
    ("negative target", lambda c, x: attribute(c, x, target=-1), ConfigurationError, "got -1"),
    ("targets", lambda c, x: attribute(c, x, target=[0, 1]), ConfigurationError, "one index for each of the 5 inputs"),
    ("fractional target", lambda c, x: attribute(c, x, target=torch.full((5,), 0.5)), ConfigurationError, "float32"),
    ("class", lambda c, x: attribute(c, x, target="bat"), ConfigurationError, "did you mean 'bad'"),
    ("output", lambda c, x: attribute(c, x, output="logits"), ConfigurationError, "did you mean 'logit'"),
    ("baseline", lambda c, x: attribute(c, x, baseline=torch.zeros(7)), ConfigurationError, r"baseline must have the shape \(8,\)"),
    ("background", lambda c, x: attribute(c, x, baseline=torch.zeros(0, 8)), ConfigurationError, "background must have at least one row"),
    (
        "background for gradients",
        lambda c, x: attribute(c, x, "integrated_gradients", baseline=torch.zeros(3, 8)),
        ConfigurationError,
        "one for each of the 5 inputs, got 3; for a background take kernel_shap",
    ),
    ("NaN baseline", lambda c, x: attribute(c, x, baseline=torch.full((8,), torch.nan)), DataError, "baseline must be finite"),
    ("NaN input", lambda c, x: attribute(c, x * torch.nan), DataError, "inputs must be finite, got 40"),
    ("row", lambda c, x: attribute(c, x[0]), ConfigurationError, r"x\[None\]"),
    ("no rows", lambda c, x: attribute(c, x[:0]), ConfigurationError, "at least one"),
    ("width", lambda c, x: attribute(c, x[:, :3]), ConfigurationError, r"got \(5, 3\)"),
    ("array", lambda c, x: attribute(c, x.numpy()), ConfigurationError, "must be a tensor, got ndarray"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "error", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_bad_input_is_refused(
    call: Callable[[Classifier, Tensor], Any], error: type[AssayError], message: str, classifier: Classifier, x: Tensor
) -> None:
    with pytest.raises(error, match=message):
        call(classifier, x)


def test_log_odds_of_ten_classes_are_refused(ten_classes: Classifier, x: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="log_odds compares two classes, and the classifier has 10"):
        attribute(ten_classes, x, output="log_odds")


def test_gradients_of_a_black_box_are_refused(black_box: Classifier, x: Tensor) -> None:
    with pytest.raises(NotApplicableError, match=r"black box; these do: .*kernel_shap"):
        attribute(black_box, x, "integrated_gradients")


class Rooted(nn.Module):
    """Finite everywhere, but its gradient is not at 0; `shift` above 0 makes it not a number below that."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum(1), (x[:, 0] - self.shift).sqrt()], dim=1)


def test_outputs_that_are_not_numbers_are_refused(random_network: Callable[..., nn.Module], numbers: Callable[[int], Schema]) -> None:
    broken = Classifier(Rooted(0.5), Classifier.wrap(random_network(8, 2), schema=numbers(8), classes=("a", "b")).description)
    with pytest.raises(ModelError, match="log_odds that is not finite for"):
        attribute(broken, torch.full((1, 8), 0.9), "exact_shapley", baseline=torch.zeros(8))


def test_gradients_that_are_not_numbers_are_refused(numbers: Callable[[int], Schema]) -> None:
    steep = Classifier.wrap(Rooted(0.0), schema=numbers(8), classes=("a", "b"))
    x = torch.zeros(1, 8)
    with pytest.raises(ModelError, match="gradients are not; kernel_shap, permutation_shap and feature_ablation need none"):
        attribute(steep, x, "integrated_gradients", baseline=torch.zeros(8))
    assert attribute(steep, x, "kernel_shap", baseline=torch.zeros(8)).attributions.abs().max() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "integrated_gradients", "steps": 2.5}, "steps of integrated_gradients must be a whole number"),
        ({"method": "integrated_gradients", "steps": "10"}, "leave out the quotes"),
        ({"method": "kernel_shap", "samples": float("nan")}, "samples of kernel_shap must be a whole number"),
        ({"method": "owen_values", "groups": ("x0", "x1")}, "groups of owen_values must be"),
        ({"seed": None}, "a seed must be a whole number"),
        ({"seed": 1.5}, "a seed must be a whole number"),
        ({"target": ["class 0", "class 12", *["class 1"] * 4]}, "there is no class 'class 12'"),
    ],
)
def test_values_of_another_type_are_refused_in_words(options: dict[str, Any], message: str, ten_classes: Classifier, x: Tensor) -> None:
    with pytest.raises(ConfigurationError, match=message):
        attribute(ten_classes, x, **options)


def test_a_class_can_be_named_for_each_row(ten_classes: Classifier, x: Tensor) -> None:
    numbers = list(range(len(x)))
    named = attribute(ten_classes, x, "saliency", target=[ten_classes.classes[number] for number in numbers])
    assert torch.equal(named.attributions, attribute(ten_classes, x, "saliency", target=numbers).attributions)


def test_a_classifier_that_takes_whole_values_is_compared_with_such(tmp_path: Path) -> None:
    """The linear law holds against the baseline that is recorded, which is the one that was asked."""
    schema = Schema("tabular", (Feature("b", "binary", categories=("no", "yes")), Feature("c", "categorical", categories=("u", "v", "w"))))

    def event(frame: pd.DataFrame) -> Any:
        return 1 / (1 + np.exp(-(2.0 * (frame["b"] == "yes") - 3.0 * (frame["c"] == "v"))))

    black_box = from_function(event, schema=schema, classes=("n", "y"))
    x = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 0]])
    explanation = attribute(black_box, x, baseline=torch.tensor([0.7, 0.3, 0.4, 0.3]))
    assert explanation.baseline.tolist() == [1, 0, 1, 0]
    assert torch.allclose(explanation.by_feature(), torch.tensor([[0.0, 3.0], [-2.0, 0.0]], dtype=torch.float64), atol=1e-5)
    (note,) = explanation.notes
    assert "rounded to b = yes, c = v" in note
    assert not attribute(black_box, x, baseline=x[0]).notes


def test_the_result_is_its_own(classifier: Classifier, x: Tensor, tmp_path: Path) -> None:
    given = x.clone()
    explanation = attribute(classifier, given[:2], "kernel_shap", baseline=given)
    explanation.save(tmp_path / "explanation")
    given.zero_()
    assert torch.equal(explanation.inputs, x[:2])
    assert torch.equal(explanation.baseline, x)
    assert torch.equal(Explanation.load(tmp_path / "explanation").inputs, x[:2])


def test_a_sum_that_is_missed_by_much_is_noted(numbers: Callable[[int], Schema]) -> None:
    steep = nn.Linear(3, 2)
    with torch.no_grad():
        steep.weight.copy_(torch.tensor([[0.0, 0, 0], [9000.0, -8000.0, 100.0]]))
    classifier = Classifier.wrap(steep, schema=numbers(3), classes=("no", "yes"))
    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    missed = attribute(classifier, x, "integrated_gradients", output="probability", steps=4)
    assert any("miss their sum by more than 5%" in note for note in missed.notes)
    assert not attribute(classifier, x, "exact_shapley", output="probability").notes


def test_exact_contributions_that_miss_their_sum_are_refused(numbers: Callable[[int], Schema]) -> None:
    """A function that is the same when it is tried, and changes with its calls afterwards."""
    calls = 0

    def drifting(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return (x[:, 0] * min(1.0, 1 / max(1, calls - 3))).clamp(0.01, 0.99)

    classifier = Classifier.wrap(drifting, schema=numbers(3), classes=("no", "yes"))
    with pytest.raises(ModelError, match=r"contributions miss their sum.*the same every time"):
        attribute(classifier, torch.rand(4, 3), "exact_shapley")
