"""Weighing: one class against another, within a bounded number of the classifier's answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.errors import NotApplicableError
from explain.attributing import attribute
from explain.method import METHODS
from explain.sheet.weighing import CASES, EVALUATIONS, require_speaks_of_decisions, weigh


def network(features: int, classes: int, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    schema = Schema("tabular", tuple(Feature(f"f{i}", "continuous", 0.0, 1.0) for i in range(features)))
    return Classifier.wrap(
        nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, classes)), schema=schema, classes=[f"c{i}" for i in range(classes)]
    )


@pytest.mark.parametrize("method", ["exact_shapley", "kernel_shap", "integrated_gradients", "feature_ablation"])
def test_of_three_classes_the_difference_of_two_logits_is_divided(method: str) -> None:
    classifier, x, background = network(4, 3), torch.rand(1, 4), torch.rand(20, 4)
    found = weigh(classifier, x, background, decided=2, other=0, method=method)
    module = classifier.module
    assert module is not None
    # The same network with one logit, the difference itself.
    contrast = nn.Sequential(*list(module)[:2], nn.Linear(8, 1))
    contrast[2].weight.data = (module[2].weight[2] - module[2].weight[0])[None]
    contrast[2].bias.data = (module[2].bias[2] - module[2].bias[0])[None]
    alone = Classifier.wrap(contrast, schema=classifier.schema, classes=("c0", "c2"))
    expected = attribute(alone, x, method, baseline=found.baseline, target=1)
    assert torch.allclose(found.attributions, expected.attributions, atol=1e-5)
    assert float(found.value) == pytest.approx(float(expected.value), abs=1e-5)
    assert found.output_name == "logit of c2 less that of c0"
    assert found.classifier_digest == classifier.digest


def test_every_method_that_a_sheet_takes_is_linear_in_the_output() -> None:
    # Else the difference of two explanations would not be the explanation of the difference.
    speaking = [name for name in METHODS if METHODS[name].quantity in ("contribution", "effect")]
    assert "kernel_shap" in speaking
    assert all("linearity" in METHODS[name].laws for name in speaking)


@pytest.mark.parametrize("method", ["saliency", "lrp"])
def test_slopes_and_weights_move_no_decision(method: str) -> None:
    with pytest.raises(NotApplicableError, match=f"{method} gives each part its (slope|weight)"):
        require_speaks_of_decisions(method)


@pytest.mark.parametrize(("features", "classes", "method"), [(4, 2, "exact_shapley"), (14, 2, "kernel_shap"), (14, 3, "kernel_shap")])
def test_exact_values_are_taken_where_they_are_cheap_and_an_estimate_elsewhere(features: int, classes: int, method: str) -> None:
    asked = 0
    classifier = network(features, classes)

    def counted(x: Tensor) -> Tensor:
        nonlocal asked
        asked += len(x)
        return classifier.probabilities(x)

    black_box = Classifier.wrap(counted, schema=classifier.schema, classes=classifier.classes)
    asked = 0
    found = weigh(black_box, torch.rand(1, features), torch.rand(500, features), decided=1, other=0)
    assert found.method == method
    assert len(found.baseline) <= CASES
    # Beside the coalitions, the input and what it is compared with.
    assert asked <= EVALUATIONS * 1.02


def test_the_cases_compared_with_are_drawn_from_all_and_not_the_first() -> None:
    classifier, background = network(4, 2), torch.rand(500, 4)
    first, again = (weigh(classifier, torch.rand(1, 4), background, decided=1, other=0).baseline for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, background[:CASES])
