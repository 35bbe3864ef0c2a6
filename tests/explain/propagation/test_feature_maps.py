"""Grad-CAM, LayerCAM and guided Grad-CAM, by hand and beside captum."""

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

METHODS = ("grad_cam", "layer_cam", "guided_grad_cam")


def images(channels: int, size: int) -> Schema:
    return Schema("image", tuple(Feature(f"c{index}", "continuous", 0.0, 1.0) for index in range(channels)), size=(size, size))


class Called(nn.Module):
    """The network of `deep`, with its activations called as functions."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer for layer in layers if not isinstance(layer, nn.ReLU))

    def forward(self, x: Tensor) -> Tensor:
        one, other, flat, last = self.layers
        out: Tensor = last(flat(nn.functional.relu(other(torch.relu(one(x))))))
        return out


def layers(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    module = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), activation(), nn.Conv2d(5, 4, 3, stride=2, padding=1), activation(), nn.Flatten(), nn.Linear(64, 3)
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return module


@pytest.fixture(scope="module")
def deep() -> Classifier:
    """Two convolutions over images of 8 x 8 in three colours, three classes."""
    return Classifier.wrap(layers(), schema=images(3, 8), classes=("a", "b", "c"))


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def shallow() -> Classifier:
    """Two maps of one grey image of 2 x 2, 2 x - 1 and 1 - x, and logits whose difference is the sum of 3 first - 8 second."""
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2, bias=False))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1))
        module[0].bias.copy_(torch.tensor([-1.0, 1.0]))
        module[3].weight.zero_()
        module[3].weight[1] = torch.tensor([3.0, 3.0, 3.0, 3.0, -8.0, -8.0, -8.0, 8.0])
    return Classifier.wrap(module, schema=images(1, 2), classes=("no", "yes"))


SHALLOW = torch.tensor([[[[1.0, 0.75], [0.5, 0.0]]]])


def test_grad_cam_is_each_map_times_its_mean_gradient(shallow: Classifier) -> None:
    # Maps after the ReLU are [[1, .5], [0, 0]] and [[0, .25], [.5, 1]], their mean gradients 3 and -4.
    truth = torch.tensor([[3.0, 0.5], [-2.0, -4.0]], dtype=torch.float64)
    signed = attribute(shallow, SHALLOW, "grad_cam", signed=True)
    assert torch.allclose(signed.attributions[0, 0], truth)
    assert torch.allclose(attribute(shallow, SHALLOW, "grad_cam").attributions[0, 0], truth.relu())
    assert signed.notes == ("layer '1' (ReLU): 2 maps of 2 x 2",)


def test_layer_cam_is_each_place_times_its_positive_gradient(shallow: Classifier) -> None:
    # The gradient is 3 over the first map, and over the second -8 but for 8 at the last place, where it is 1.
    truth = torch.tensor([[3.0, 1.5], [0.0, 8.0]], dtype=torch.float64)
    assert torch.allclose(attribute(shallow, SHALLOW, "layer_cam").attributions[0, 0], truth)


def test_a_layer_may_be_named(shallow: Classifier) -> None:
    # Before the ReLU the maps are 2 x - 1 and 1 - x; the gradient is 0 where the ReLU is not open: means 1.5 and (-8 - 8 + 8) / 4.
    maps = torch.stack([2 * SHALLOW[0, 0] - 1, 1 - SHALLOW[0, 0]]).double()
    truth = 1.5 * maps[0] - 2 * maps[1]
    assert torch.allclose(attribute(shallow, SHALLOW, "grad_cam", layer="0", signed=True).attributions[0, 0], truth)


@pytest.mark.parametrize("layer", ["0", "2", "3"])
def test_grad_cam_agrees_with_captum(deep: Classifier, pictures: Tensor, layer: str) -> None:
    captum = pytest.importorskip("captum.attr")
    module = deep.module
    assert module is not None
    engine = captum.LayerGradCam(module, module.get_submodule(layer))
    peers = captum.LayerAttribution.interpolate(
        engine.attribute(pictures, target=1, relu_attributions=True), (8, 8), interpolate_mode="bilinear"
    )
    ours = attribute(deep, pictures, "grad_cam", target=1, layer=layer).attributions
    assert torch.allclose(ours.sum(1), peers[:, 0].detach().double(), atol=1e-5)
    assert torch.allclose(ours[:, 0], ours[:, 2])


def test_guided_grad_cam_agrees_with_captum(deep: Classifier, pictures: Tensor) -> None:
    captum = pytest.importorskip("captum.attr")
    module = deep.module
    assert module is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = captum.GuidedGradCam(module, module.get_submodule("3")).attribute(pictures, target=1, interpolate_mode="bilinear")
    ours = attribute(deep, pictures, "guided_grad_cam", target=1, layer="3").attributions
    assert ours.abs().max() > 0.01
    assert torch.allclose(ours, peers.detach().double(), atol=1e-5)


def test_relus_that_are_called_guide_as_layers_do(deep: Classifier, pictures: Tensor) -> None:
    assert isinstance(deep.module, nn.Sequential)
    called = Classifier.wrap(Called(deep.module), schema=deep.schema, classes=deep.classes)
    ours = attribute(called, pictures, "guided_grad_cam", target=1, layer="layers.1").attributions
    assert ours.abs().max() > 0.01
    assert torch.allclose(ours, attribute(deep, pictures, "guided_grad_cam", target=1, layer="2").attributions, atol=1e-6)


@pytest.mark.parametrize("overwrite", [torch.relu_, lambda x: nn.functional.relu(x, inplace=True)], ids=["relu_", "inplace"])
def test_a_function_that_overwrites_is_refused(pictures: Tensor, overwrite: Callable[[Tensor], Tensor]) -> None:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps, self.last = nn.Conv2d(3, 2, 3), nn.Linear(72, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.last(overwrite(self.maps(x)).flatten(1))
            return out

    classifier = Classifier.wrap(Overwriting(), schema=images(3, 8), classes=("no", "yes"))
    with pytest.raises(NotApplicableError, match="overwrites its input"):
        attribute(classifier, pictures, "guided_grad_cam")
    assert attribute(classifier, pictures, "layer_cam").attributions.isfinite().all()


def test_without_a_relu_nothing_guides(pictures: Tensor) -> None:
    classifier = Classifier.wrap(layers(nn.Tanh), schema=images(3, 8), classes=("a", "b", "c"))
    with pytest.raises(NotApplicableError, match="no ReLU") as refusal:
        attribute(classifier, pictures, "guided_grad_cam")
    assert "grad_cam" in refusal.value.remedy
    assert attribute(classifier, pictures, "grad_cam").attributions.abs().max() > 0


@pytest.mark.parametrize("method", METHODS)
def test_what_the_layer_does_not_see_gets_nothing(method: str) -> None:
    """The network looks at the left half alone, and the bright square there."""
    module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2, bias=False))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[3].weight.zero_()
        module[3].weight[1].reshape(8, 8)[:, :4] = 1.0
    classifier = Classifier.wrap(module, schema=images(1, 8), classes=("no", "yes"))
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 2:4, 1:3] = 1.0
    x[0, 0, 5:7, 5:7] = 1.0
    values = attribute(classifier, x, method).attributions[0, 0]
    assert values[2:4, 1:3].min() > 0
    # Grad-CAM weighs a map as a whole: it cannot tell the two squares apart, as LayerCAM does.
    assert (values[5:7, 5:7].max() > 0) == (method == "grad_cam")


def test_the_default_layer_is_the_end_of_the_last_block_of_its_maps(pictures: Tensor) -> None:
    from classifier.architectures.resnet import ResNet

    module = ResNet(channels=(4, 6)).build(images(3, 8), 2)
    classifier = Classifier.wrap(module, schema=images(3, 8), classes=("no", "yes"))
    assert attribute(classifier, pictures, "layer_cam").notes == ("layer '5' (_Block): 6 maps of 4 x 4",)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_that_gives_no_maps_is_refused_and_those_that_do_are_named(deep: Classifier, pictures: Tensor, method: str) -> None:
    with pytest.raises(ConfigurationError, match="the network has no layer '33'; did you mean '3'"):
        attribute(deep, pictures, method, layer="33")
    with pytest.raises(ConfigurationError, match=r"the layer '5' gives \(3,\) for one image.*these give maps: 0, 1, 2, 3"):
        attribute(deep, pictures, method, layer="5")


def test_a_layer_used_twice_is_refused(pictures: Tensor) -> None:
    act = nn.ReLU()
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), act, nn.Conv2d(3, 3, 3, padding=1), act, nn.Flatten(), nn.Linear(192, 2))
    classifier = Classifier.wrap(module, schema=images(3, 8), classes=("no", "yes"))
    with pytest.raises(ConfigurationError, match=r"the layer '1' gives \(3, 8, 8\) and \(3, 8, 8\) for one image, .* once"):
        attribute(classifier, pictures, "grad_cam", layer="1")
    assert attribute(classifier, pictures, "grad_cam").notes[0].startswith("layer '2' (Conv2d)")


@pytest.mark.parametrize("method", METHODS)
def test_networks_without_convolutions_and_black_boxes_are_refused(deep: Classifier, pictures: Tensor, method: str) -> None:
    flat = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), schema=images(3, 8), classes=("no", "yes"))
    with pytest.raises(NotApplicableError, match="no convolution"):
        attribute(flat, pictures, method)
    box = Classifier.wrap(lambda x: deep.probabilities(x), schema=deep.schema, classes=deep.classes)
    with pytest.raises(NotApplicableError, match="black box"):
        attribute(box, pictures, method)


def test_probabilities_are_explained_too(deep: Classifier, pictures: Tensor) -> None:
    explanation = attribute(deep, pictures, "grad_cam", output="probability", signed=True)
    assert explanation.attributions.abs().max() > 0
    assert explanation.unit == "no unit"
