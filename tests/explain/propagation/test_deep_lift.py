"""DeepLIFT: right where its rules hold, and refused where they do not."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.calibration import Calibration
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute, available

Make = Callable[[str], Classifier]
HOLDS = ("relu", "relu in place", "relu without bias", "tanh and elu", "sigmoid", "one logit", "ten classes", "residual")
TRAPS = {
    "relu called": "calls relu as a function",
    "relu of a tensor": "calls relu as a function",
    "tanh called": "calls tanh as a function",
    "gelu called": "calls gelu as a function",
    "gelu": r"no rule for the layer '1' \(GELU\)",
    "layer norm": r"no rule for the layer 'normal' \(LayerNorm\)",
    "relu used twice": r"the layer 'function' \(ReLU\) is used 2 times",
    "product": "do not add up",
}


@pytest.mark.parametrize("name", HOLDS)
def test_shares_sum_to_what_the_output_changed(network: Make, x: Tensor, baseline: Tensor, name: str) -> None:
    explanation = attribute(network(name), x, "deep_lift", baseline=baseline)
    assert (explanation.value - explanation.base_value).abs().max() > 0.1
    assert explanation.completeness_error.max() < 1e-5
    assert explanation.exact
    assert not explanation.notes


def test_a_linear_network_gives_weight_times_distance(schema: Schema, x: Tensor, baseline: Tensor) -> None:
    classifier = Classifier.wrap(nn.Linear(8, 3), schema=schema, classes=("a", "b", "c"))
    assert isinstance(classifier.module, nn.Linear)
    explanation = attribute(classifier, x, "deep_lift", baseline=baseline, target=2)
    assert torch.allclose(explanation.attributions, (classifier.module.weight[2] * (x - baseline)).double(), atol=1e-6)


def test_one_unit_gets_the_ratio_of_its_changes() -> None:
    module = nn.Sequential(nn.Linear(2, 1), nn.Tanh(), nn.Linear(1, 2))
    weights = torch.tensor([[2.0, -3.0]])
    with torch.no_grad():
        module[0].weight.copy_(weights)
        module[0].bias.fill_(0.5)
        module[2].weight.copy_(torch.tensor([[-1.0], [1.0]]))
        module[2].bias.zero_()
    classifier = Classifier.wrap(
        module,
        schema=Schema("tabular", (Feature("a", "continuous", 0.0, 1.0), Feature("b", "continuous", 0.0, 1.0))),
        classes=("no", "yes"),
    )
    x, baseline = torch.tensor([[0.9, 0.2]]), torch.tensor([0.1, 0.4])
    before, after = weights[0] @ baseline + 0.5, weights[0] @ x[0] + 0.5
    ratio = (torch.tanh(after) - torch.tanh(before)) / (after - before)
    truth = 2 * ratio * weights * (x - baseline)
    assert torch.allclose(attribute(classifier, x, "deep_lift", baseline=baseline).attributions, truth.double(), atol=1e-6)


@pytest.mark.parametrize("name", ["relu", "ten classes"])
def test_it_agrees_with_captum_on_a_plain_network(network: Make, x: Tensor, baseline: Tensor, name: str) -> None:
    captum = pytest.importorskip("captum.attr")
    classifier = network(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = captum.DeepLift(classifier.module).attribute(x, baseline.expand_as(x), target=1)
    ours = attribute(classifier, x, "deep_lift", baseline=baseline, target=1, output="logit").attributions
    assert torch.allclose(ours, peers.detach().double(), atol=2e-5)


def test_each_row_may_have_a_baseline_of_its_own(network: Make, x: Tensor) -> None:
    classifier, others = network("relu"), x.flip(0)
    together = attribute(classifier, x, "deep_lift", baseline=others)
    assert together.completeness_error.max() < 1e-5
    for row in (0, 7):
        alone = attribute(classifier, x[row : row + 1], "deep_lift", baseline=others[row])
        assert torch.allclose(alone.attributions[0], together.attributions[row], atol=1e-6)


def test_shares_of_a_sum_of_networks_are_the_sum_of_their_shares(network: Make, schema: Schema, x: Tensor, baseline: Tensor) -> None:
    class Total(nn.Module):
        def __init__(self, one: nn.Module, other: nn.Module) -> None:
            super().__init__()
            self.one, self.other = one, other

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.one(x) + self.other(x)
            return out

    modules = [network(name).module for name in ("relu", "tanh and elu")]
    total = Total(*(module for module in modules if module is not None))
    parts = [
        attribute(Classifier.wrap(module, schema=schema, classes=("a", "b")), x, "deep_lift", baseline=baseline).attributions
        for module in (*modules, total)
        if module is not None
    ]
    assert torch.allclose(parts[0] + parts[1], parts[2], atol=1e-5)


def test_it_depends_on_how_a_function_is_computed() -> None:
    """Why neither *dummy* nor *symmetry* is promised: max(max(a, b), c) - max(a, max(b, c)) is 0, and its parts get something."""

    class Higher(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            out: Tensor = a + self.act(b - a)
            return out

    class OnlyFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.highest = nn.ModuleList(Higher() for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            a, b, c = x.unbind(1)
            one, two, three, four = self.highest
            nothing = one(two(a, b), c) - three(a, four(b, c))
            return torch.stack([torch.zeros_like(a), a + nothing], 1)

    schema = Schema("tabular", tuple(Feature(name, "continuous", -2.0, 2.0) for name in "abc"), encoding="natural")
    classifier = Classifier.wrap(OnlyFirst(), schema=schema, classes=("no", "yes"))
    x = 4 * torch.rand(20, 3, generator=torch.Generator().manual_seed(0)) - 2
    explanation = attribute(classifier, x, "deep_lift", baseline=torch.tensor([0.3, -0.2, 0.1]))
    assert explanation.completeness_error.max() < 1e-5
    assert explanation.attributions[:, 1:].abs().max() > 0.05
    assert attribute(classifier, x, "exact_shapley", baseline=torch.tensor([0.3, -0.2, 0.1])).attributions[:, 1:].abs().max() < 1e-6


@pytest.mark.parametrize("name", TRAPS)
def test_a_network_that_its_rules_do_not_hold_for_is_refused(network: Make, x: Tensor, baseline: Tensor, name: str) -> None:
    classifier = network(name)
    (entry,) = [entry for entry in available(classifier) if entry.method == "deep_lift"]
    assert not entry.applies
    with pytest.raises(NotApplicableError, match=TRAPS[name]) as refusal:
        attribute(classifier, x, "deep_lift", baseline=baseline)
    assert "integrated_gradients" in refusal.value.remedy
    assert attribute(classifier, x, "integrated_gradients", baseline=baseline).completeness_error.max() < 0.1


@pytest.mark.parametrize("name", [name for name in TRAPS if name != "relu used twice"])
def test_the_traps_would_have_given_wrong_numbers(network: Make, x: Tensor, baseline: Tensor, name: str) -> None:
    captum = pytest.importorskip("captum.attr")
    module = network(name).module
    assert module is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = captum.DeepLift(module).attribute(x, baseline.expand_as(x), target=1).sum(1)
    gap = shares - (module(x) - module(baseline[None]))[:, 1]
    assert gap.abs().max() > 0.05


def test_integrated_gradients_stand_in_where_that_is_asked_for(network: Make, x: Tensor, baseline: Tensor) -> None:
    classifier = network("layer norm")
    explanation = attribute(classifier, x, "deep_lift", baseline=baseline, otherwise="integrated_gradients")
    truth = attribute(classifier, x, "integrated_gradients", baseline=baseline)
    assert torch.equal(explanation.attributions, truth.attributions)
    assert not explanation.exact
    assert "integrated gradients stood in for deep_lift: there is no rule for the layer 'normal'" in explanation.notes[0]
    assert explanation.options == {"otherwise": "integrated_gradients"}


def test_no_stand_in_is_used_where_the_rules_hold(network: Make, x: Tensor) -> None:
    explanation = attribute(network("relu"), x, "deep_lift", otherwise="integrated_gradients")
    assert torch.equal(explanation.attributions, attribute(network("relu"), x, "deep_lift").attributions)
    assert not explanation.notes


def test_calibration_along_a_broken_line_is_refused_and_a_temperature_is_not(network: Make, x: Tensor) -> None:
    broken = network("relu").calibrated(Calibration(kind="isotonic", knots=((-1.0, -2.0), (0.0, 0.5), (1.0, 1.0))))
    with pytest.raises(NotApplicableError, match="broken line"):
        attribute(broken, x, "deep_lift")
    warm = network("relu").calibrated(Calibration(kind="bias_corrected", temperature=2.0, bias=(0.5, -0.5)))
    halves = attribute(warm, x, "deep_lift")
    assert torch.allclose(2 * halves.attributions, attribute(network("relu"), x, "deep_lift").attributions, atol=1e-5)


def test_probabilities_and_black_boxes_are_refused(network: Make, x: Tensor) -> None:
    classifier = network("relu")
    with pytest.raises(NotApplicableError, match="it divides log_odds or logit, not probability"):
        attribute(classifier, x, "deep_lift", output="probability")
    box = Classifier.wrap(lambda x: classifier.probabilities(x), schema=classifier.schema, classes=classifier.classes)
    with pytest.raises(NotApplicableError, match="black box"):
        attribute(box, x, "deep_lift")


def test_it_leaves_the_classifier_as_it_was(network: Make, x: Tensor) -> None:
    classifier = network("relu in place")
    assert classifier.module is not None
    before, logits = classifier.digest, classifier.logits(x)
    attribute(classifier, x, "deep_lift")
    attribute(classifier, x, "lrp")
    assert all(layer.inplace for layer in classifier.module.modules() if isinstance(layer, nn.ReLU))
    assert not any(vars(layer).get("_forward_hooks") or hasattr(layer, "input") for layer in classifier.module.modules())
    assert Classifier(classifier.module, classifier.description).digest == before
    assert torch.equal(classifier.logits(x), logits)


def test_an_option_that_does_not_exist_is_refused(network: Make, x: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="otherwise must be one of refuse, integrated_gradients, got 'guess'"):
        attribute(network("relu"), x, "deep_lift", otherwise="guess")
