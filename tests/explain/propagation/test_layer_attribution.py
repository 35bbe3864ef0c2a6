"""Attributions of layers and neurons: closed forms, sums, and agreement with captum."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute
from explain.internals.by_layer import LayerMethod, layer_attribution
from explain.internals.by_neuron import neuron_attribution

Make = Callable[[str], Classifier]
METHODS: tuple[LayerMethod, ...] = ("integrated_gradients", "conductance", "deep_lift", "gradient_x_activation")


@pytest.fixture(scope="module")
def linear(schema: Schema) -> Classifier:
    """Two linear layers."""
    torch.manual_seed(0)
    return Classifier.wrap(nn.Sequential(nn.Linear(8, 5), nn.Linear(5, 2)), schema=schema, classes=("no", "yes"))


@pytest.mark.parametrize("method", METHODS)
def test_a_linear_unit_gets_its_weight_times_its_change(linear: Classifier, x: Tensor, baseline: Tensor, method: LayerMethod) -> None:
    assert isinstance(linear.module, nn.Sequential)
    first, last = linear.module
    assert isinstance(last, nn.Linear)
    change = first(x) - (0 if method == "gradient_x_activation" else first(baseline))
    truth = (last.weight[1] - last.weight[0]) * change
    found = layer_attribution(linear, x, "0", method, baseline=baseline)
    assert found.attributions.shape == (30, 5)
    assert torch.allclose(found.attributions, truth.double(), atol=1e-5)
    assert (found.completeness_error is None) == (method == "gradient_x_activation")
    assert found.unit == "log-odds of yes"


@pytest.mark.parametrize("method", ["integrated_gradients", "conductance", "deep_lift"])
@pytest.mark.parametrize("name", ["tanh and elu", "sigmoid"])
def test_units_of_a_layer_sum_to_the_change(network: Make, x: Tensor, baseline: Tensor, name: str, method: LayerMethod) -> None:
    found = layer_attribution(network(name), x, "1", method, baseline=baseline, steps=64)
    assert found.bottleneck
    assert (found.value - found.base_value).abs().max() > 0.1
    assert found.completeness_error is not None
    assert found.completeness_error.max() < 1e-3
    assert torch.allclose(found.attributions.sum(1), found.value - found.base_value, atol=1e-3)


def test_conductance_of_one_unit_is_the_change_itself(schema: Schema, x: Tensor, baseline: Tensor) -> None:
    module = nn.Sequential(nn.Linear(8, 1), nn.Tanh(), nn.Linear(1, 2))
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    found = layer_attribution(classifier, x, "1", "conductance", baseline=baseline, steps=64)
    assert torch.allclose(found.attributions[:, 0], found.value - found.base_value, atol=1e-5)


def test_the_first_layer_gets_what_the_inputs_get(schema: Schema, network: Make, x: Tensor, baseline: Tensor) -> None:
    module = network("tanh and elu").module
    assert module is not None
    classifier = Classifier.wrap(nn.Sequential(nn.Identity(), module), schema=schema, classes=("no", "yes"))
    found = layer_attribution(classifier, x, "0", baseline=baseline)
    assert torch.allclose(found.attributions, attribute(classifier, x, "integrated_gradients", baseline=baseline).attributions, atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "tanh and elu"])
def test_they_agree_with_captum(network: Make, x: Tensor, baseline: Tensor, name: str) -> None:
    captum = pytest.importorskip("captum.attr")
    classifier, others = network(name), baseline.expand_as(x)
    module = classifier.module
    assert module is not None
    layer = module.get_submodule("2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = {
            "integrated_gradients": captum.LayerIntegratedGradients(module, layer).attribute(x, others, target=1, n_steps=32),
            "deep_lift": captum.LayerDeepLift(module, layer).attribute(x.clone().requires_grad_(), others, target=1),
            "gradient_x_activation": captum.LayerGradientXActivation(module, layer).attribute(x, target=1),
            "conductance": captum.LayerConductance(module, layer).attribute(x, others, target=1, n_steps=500),
        }
    for method in METHODS:
        steps = 200 if method == "conductance" else 32
        found = layer_attribution(classifier, x, "2", method, baseline=baseline, target=1, output="logit", steps=steps)
        assert torch.allclose(found.attributions, peers[method].detach().double(), atol=0.05 if method == "conductance" else 1e-4), method


def test_what_leads_around_a_layer_is_not_counted_for_it(network: Make, x: Tensor, baseline: Tensor) -> None:
    classifier = network("residual")
    shared = layer_attribution(classifier, x, "branch", baseline=baseline, steps=64)
    assert not shared.bottleneck
    assert shared.completeness_error is not None
    assert shared.completeness_error.max() < 1e-4
    assert (shared.replaced - shared.base_value).abs().max() > 0.1
    assert layer_attribution(classifier, x, "branch", "conductance", baseline=baseline).completeness_error is None


def test_a_row_alone_gets_what_it_gets_among_others(network: Make, x: Tensor) -> None:
    classifier, others = network("relu"), x.flip(0)
    for method in METHODS:
        together = layer_attribution(classifier, x, "0", method, baseline=others)
        alone = layer_attribution(classifier, x[3:4], "0", method, baseline=others[3])
        assert torch.allclose(alone.attributions[0], together.attributions[3], atol=1e-5)


def test_a_layer_that_overwrites_its_input_is_seen_as_it_was(network: Make, x: Tensor) -> None:
    before, after = (layer_attribution(network(name), x, "0", "gradient_x_activation") for name in ("relu", "relu in place"))
    assert torch.equal(before.attributions, after.attributions)


def test_deep_lift_of_a_layer_is_behind_the_gate(network: Make, x: Tensor) -> None:
    for name in ("relu called", "layer norm", "relu used twice"):
        with pytest.raises(NotApplicableError, match=r"deep_lift does not apply.*conductance"):
            layer_attribution(network(name), x, "first", "deep_lift")
    with pytest.raises(NotApplicableError, match="not probability"):
        layer_attribution(network("relu"), x, "0", "deep_lift", output="probability")


def test_maps_are_summed_to_units_of_the_first_axis(x: Tensor) -> None:
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(4, 4))
    module = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    found = layer_attribution(classifier, torch.rand(2, 1, 4, 4), "1")
    assert found.attributions.shape == (2, 3, 4, 4)
    assert torch.allclose(found.by_unit(), found.attributions.sum((2, 3)))
    assert list(found.to_frame().columns) == ["row", "unit", "attribution"]
    assert len(found.to_frame()) == 6


def test_texts_are_followed_through_their_embeddings() -> None:
    from cases import cases

    from classifier import Splits
    from trainer import Recipe, train

    data = cases("text", 2)
    recipe = Recipe("transformer_text", epochs=1, options={"width": 8, "buckets": 64})
    classifier = train(Splits(data, data, data), recipe, progress=False)
    found = layer_attribution(classifier, data.inputs[:3], "blocks.0", "conductance")
    assert found.attributions.shape[0] == 3
    assert found.attributions.isfinite().all()
    driven = neuron_attribution(classifier, data.inputs[:3], "normal", (0, 2), steps=64)
    assert driven.attributions.shape == data.inputs[:3].shape
    assert driven.completeness_error is not None
    assert driven.completeness_error.max() < 0.02 * (1 + driven.value.abs().max())
    with pytest.raises(ConfigurationError, match=r"'tokens' .*is used 0 times between the embeddings and the output"):
        layer_attribution(classifier, data.inputs[:3], "tokens")


def test_a_neuron_of_a_linear_layer_is_driven_by_weight_times_distance(linear: Classifier, x: Tensor, baseline: Tensor) -> None:
    assert isinstance(linear.module, nn.Sequential)
    weight = linear.module[0].weight
    assert isinstance(weight, Tensor)
    found = neuron_attribution(linear, x, "0", 3, baseline=baseline)
    assert torch.allclose(found.attributions, (weight[3] * (x - baseline)).double(), atol=1e-6)
    slope = neuron_attribution(linear, x, "0", (3,), "gradient")
    assert torch.allclose(slope.attributions, weight[3].expand_as(x).double(), atol=1e-6)
    assert slope.completeness_error is None
    assert slope.label == "slope of neuron 3 of layer '0' per encoded unit"


def test_what_drives_a_neuron_sums_to_its_change_and_agrees_with_captum(network: Make, x: Tensor, baseline: Tensor) -> None:
    captum = pytest.importorskip("captum.attr")
    classifier = network("tanh and elu")
    module = classifier.module
    assert module is not None
    found = neuron_attribution(classifier, x, "3", 2, baseline=baseline)
    assert found.completeness_error is not None
    assert (found.value - found.base_value).abs().max() > 0.05
    assert found.completeness_error.max() < 1e-3
    layer = module.get_submodule("3")
    peers = captum.NeuronIntegratedGradients(module, layer).attribute(x, 2, baselines=baseline.expand_as(x), n_steps=32)
    assert torch.allclose(found.attributions, peers.detach().double(), atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slopes = captum.NeuronGradient(module, layer).attribute(x, 2)
    assert torch.allclose(neuron_attribution(classifier, x, "3", 2, "gradient").attributions, slopes.detach().double(), atol=1e-6)


@pytest.mark.parametrize(
    ("neuron", "asked"), [(16, "16"), (-1, "-1"), ((1, 2), r"\(1, 2\)"), ((), r"\(\)")], ids=["high", "negative", "two axes", "none"]
)
def test_a_neuron_that_is_not_there_is_refused(network: Make, x: Tensor, neuron: int | tuple[int, ...], asked: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"has no neuron {asked}; name one by 1 whole number from 0 to 15"):
        neuron_attribution(network("relu"), x, "1", neuron)


def test_bad_input_is_refused(network: Make, x: Tensor) -> None:
    classifier = network("relu")
    with pytest.raises(ConfigurationError, match="the network has no layer '11'"):
        layer_attribution(classifier, x, "11")
    with pytest.raises(ConfigurationError, match="there is no method 'conductence' for layers; did you mean 'conductance'"):
        layer_attribution(classifier, x, "1", "conductence")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="target must lie in 0 to 1, got 2"):
        layer_attribution(classifier, x, "1", target=2)
    with pytest.raises(ConfigurationError, match="steps must be at least 1, got 0"):
        layer_attribution(classifier, x, "1", steps=0)
    with pytest.raises(ConfigurationError, match="inputs must be a batch"):
        neuron_attribution(classifier, x[0], "1", 0)
    with pytest.raises(ConfigurationError, match="baseline must be one, or one for each of the 30 inputs, got 7"):
        layer_attribution(classifier, x, "1", baseline=x[:7])
    with pytest.raises(ConfigurationError, match="there is no method 'saliency' for neurons"):
        neuron_attribution(classifier, x, "1", 0, "saliency")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"the layer 'function' \(ReLU\) is used 2 times, required is once"):
        layer_attribution(network("relu used twice"), x, "function")
    box = Classifier.wrap(lambda x: classifier.probabilities(x), schema=classifier.schema, classes=classifier.classes)
    with pytest.raises(NotApplicableError, match="black box"):
        layer_attribution(box, x, "1")


def test_results_show_themselves(network: Make, x: Tensor) -> None:
    classifier = network("relu")
    found = layer_attribution(classifier, x, "1", "conductance")
    assert "conductance" in found.plot().get_title(loc="left")
    assert found.plot().get_xlabel() == "mean size of the contribution to the log-odds of class 1"
    driven = neuron_attribution(classifier, x[:1], "1", 4)
    assert "neuron 4 of layer '1'" in driven.plot().get_xlabel()
    for result in (found, driven):
        assert "<script" not in result._repr_html_()
        assert "<table" in result._repr_html_()
    assert list(driven.to_frame().columns) == ["row", "feature", "value", "attribution"]
