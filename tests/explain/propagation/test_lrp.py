"""Relevance propagation: conserved, and refused where it is not."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.architectures._layers import Standardize
from classifier.calibration import Calibration
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute
from explain.attribution.lrp import LRP
from explain.method import Task
from explain.output import Output, resolve_target

Make = Callable[[str], Classifier]
HOLDS = (
    "relu", "relu in place", "tanh and elu", "gelu", "one logit", "ten classes", "relu called", "relu used twice", "layer norm", "residual",
)  # fmt: skip


def task_of(classifier: Classifier, x: Tensor) -> Task:
    return Task(Output.of(classifier, "auto"), x, resolve_target(classifier, x, None), torch.zeros(1, *x.shape[1:]))


@pytest.mark.parametrize("name", ["relu without bias", "residual without bias"])
def test_without_biases_all_relevance_reaches_the_inputs(network: Make, x: Tensor, name: str) -> None:
    explanation = attribute(network(name), x, "lrp", epsilon=0.0)
    assert explanation.value.abs().max() > 0.1
    assert torch.allclose(explanation.attributions.sum(1), explanation.value, atol=1e-5)
    assert explanation.exact


@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.5])
@pytest.mark.parametrize("name", HOLDS)
def test_relevance_and_what_is_kept_sum_to_the_output(network: Make, x: Tensor, name: str, epsilon: float) -> None:
    balance, _ = LRP(epsilon=epsilon).propagate(task_of(network(name), x))
    assert balance.gap.max() < 1e-5 * (1 + balance.due.abs().max())
    # What is counted as kept is no remainder: it is summed up layer by layer.
    assert torch.as_tensor(balance.kept).abs().max() > 0.01


@pytest.mark.parametrize("name", ["relu", "relu called", "residual"])
def test_of_relus_it_is_the_gradient_times_the_input(network: Make, x: Tensor, name: str) -> None:
    classifier = network(name)
    points = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad((classifier.logits(points)[:, 1] - classifier.logits(points)[:, 0]).sum(), points)
    assert torch.allclose(attribute(classifier, x, "lrp", epsilon=0.0).attributions, (slope * x).double(), atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "relu in place", "ten classes"])
def test_it_agrees_with_captum_where_captum_has_the_rules(network: Make, x: Tensor, name: str) -> None:
    captum = pytest.importorskip("captum.attr")
    classifier = network(name)
    ours = attribute(classifier, x, "lrp", target=1, output="logit", epsilon=1e-9).attributions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = captum.LRP(classifier.module).attribute(x, target=1)
    assert torch.allclose(ours, peers.detach().double(), atol=1e-4 * float(peers.detach().abs().max()))


def test_epsilon_agrees_with_captum(network: Make, x: Tensor) -> None:
    captum = pytest.importorskip("captum.attr")
    rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    classifier = network("relu")
    ours = attribute(classifier, x, "lrp", target=1, output="logit", epsilon=0.3).attributions
    assert isinstance(classifier.module, nn.Sequential)
    for layer in classifier.module:
        if isinstance(layer, nn.Linear):
            layer.rule = rules.EpsilonRule(epsilon=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = captum.LRP(classifier.module).attribute(x, target=1)
    assert torch.allclose(ours, peers.detach().double(), atol=1e-4 * float(peers.detach().abs().max()))


def test_a_unit_hands_its_relevance_on_in_proportion() -> None:
    """By hand: z = (2 a + 1 b - 1) is 2.2 at (1, 1.2), and the only unit of the output."""
    module = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[2.0, 1.0]]))
        module[0].bias.fill_(-1.0)
        module[2].weight.fill_(3.0)
        module[2].bias.fill_(0.4)
    schema = Schema("tabular", (Feature("a", "continuous", 0.0, 2.0), Feature("b", "continuous", 0.0, 2.0)), encoding="natural")
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    x, epsilon = torch.tensor([[1.0, 1.2]]), 0.1
    output = 3 * 2.2 + 0.4
    hidden = 3 * 2.2 * output / (output + epsilon)
    truth = torch.tensor([[2.0, 1.2]], dtype=torch.float64) * hidden / (2.2 + epsilon)
    balance, _ = LRP(epsilon=epsilon).propagate(task_of(classifier, x))
    assert torch.allclose(balance.shares.double(), truth, atol=1e-5)
    assert float(torch.as_tensor(balance.kept)) == pytest.approx(output - float(truth.sum()), abs=1e-5)


def test_an_element_at_its_training_mean_gets_nothing(schema: Schema, x: Tensor) -> None:
    first = Standardize((8,))
    first.fit(x)
    module = nn.Sequential(first, nn.Linear(8, 6, bias=False), nn.ReLU(), nn.Linear(6, 2, bias=False))
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    rows = x[:4].clone()
    rows[:, 3] = first.mean[3]
    explanation = attribute(classifier, rows, "lrp", epsilon=0.0)
    assert explanation.attributions[:, 3].abs().max() < 1e-6
    assert torch.allclose(explanation.attributions.sum(1), explanation.value, atol=1e-5)


def test_convolutions_pooling_and_batch_normalisation_conserve_it() -> None:
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
        module[1].running_mean.fill_(0.2)
        module[1].running_var.fill_(0.5)
    schema = Schema("image", tuple(Feature(name, "continuous", 0.0, 1.0) for name in ("a", "b")), size=(8, 8))
    classifier = Classifier.wrap(module, schema=schema, classes=("a", "b", "c"))
    x = torch.rand(5, 2, 8, 8, generator=generator)
    balance, _ = LRP().propagate(task_of(classifier, x))
    assert balance.due.abs().max() > 0.1
    assert balance.gap.max() < 1e-5
    assert torch.equal(attribute(classifier, x, "lrp").attributions, balance.shares.double())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tanh called", "calls tanh as a function"),
        ("gelu called", "calls gelu as a function"),
        ("product", "do not add up"),
        ("sigmoid", r"no rule for the layer '1' \(Sigmoid\)"),
    ],
)
def test_a_network_that_its_rules_do_not_hold_for_is_refused(network: Make, x: Tensor, name: str, reason: str) -> None:
    with pytest.raises(NotApplicableError, match=reason) as refusal:
        attribute(network(name), x, "lrp")
    assert "integrated_gradients" in refusal.value.remedy


def test_a_calibration_counts_as_a_bias(network: Make, x: Tensor) -> None:
    plain = network("relu")
    warm = plain.calibrated(Calibration(kind="bias_corrected", temperature=2.0, bias=(0.5, -0.5)))
    balance, _ = LRP().propagate(task_of(warm, x))
    assert balance.gap.max() < 1e-5
    assert torch.allclose(2 * balance.shares.double(), attribute(plain, x, "lrp").attributions, atol=1e-5)
    with pytest.raises(NotApplicableError, match="broken line"):
        attribute(plain.calibrated(Calibration(kind="isotonic", knots=((-1.0, -2.0), (1.0, 1.0)))), x, "lrp")


def test_what_biases_keep_is_told(network: Make, x: Tensor) -> None:
    explanation = attribute(network("relu"), x, "lrp")
    kept = float((explanation.value - explanation.attributions.sum(1)).abs().mean())
    assert explanation.quantity == "weight"
    assert explanation.notes[0].endswith(f"biases keep {kept:.3g} of it")


@pytest.mark.parametrize("epsilon", [-1.0, float("inf"), float("nan")])
def test_an_epsilon_that_is_none_is_refused(network: Make, x: Tensor, epsilon: float) -> None:
    with pytest.raises(ConfigurationError, match=r"epsilon .*must be .*finite"):
        attribute(network("relu"), x, "lrp", epsilon=epsilon)
