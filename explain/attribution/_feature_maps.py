"""Feature maps: what a convolutional layer gives for an image, how the output depends on it, and where in the image it lies."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from classifier.chunks import ELEMENTS, chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from explain.gradients.explained import ExplainedNetwork
from explain.internals.layers import first_tensor, layer_module, probe, require_network, run_network, watching
from explain.method import Law, Method, Need, Quantity, Scores, Task

# Input elements that go forwards and back at once on a processor.
_CACHED = 2**16


@dataclass(frozen=True, kw_only=True)
class MapMethod(Method):
    """A method that weighs the feature maps of one layer, for images.

    Args:
        layer: The layer, by the name that `explain.internals.layers.list_layers` gives it. By default the last one whose maps have
            the size of the last convolution's: that convolution, with the normalisation and activation that follow it
            and the residual block that it ends. The notes name it.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    modalities: ClassVar[frozenset[str]] = frozenset({"image"})
    quantity: ClassVar[Quantity] = "weight"
    laws: ClassVar[frozenset[Law]] = frozenset()

    layer: str | None = None

    @abstractmethod
    def weigh(self, maps: Tensor, slope: Tensor) -> Tensor:
        """One number a position ``(N, h, w)``.

        Args:
            maps: What the layer gives ``(N, C, h, w)``.
            slope: The gradient of the output with respect to it ``(N, C, h, w)``.
        """

    def __call__(self, task: Task, seed: Seed) -> Scores:
        places, note = self.places(task)
        # Each channel gets the same, so that the sum over channels is the map.
        channels = task.x.shape[1]
        return Scores((places / channels).expand_as(task.x).contiguous(), exact=True, notes=(note,))

    def places(self, task: Task) -> tuple[Tensor, str]:
        """The weighed maps, laid over the images ``(N, 1, H, W)`` by bilinear interpolation, and which layer gave them."""
        name, shape = _layer(task.classifier, self.layer)
        network = ExplainedNetwork(task.output)
        layer = network.network.get_submodule(name)
        weighed = []
        for x, target in batches(task):
            maps, slope = _maps_and_slope(network, layer, x, target)
            weighed.append(self.weigh(maps, slope))
        laid = nn.functional.interpolate(torch.cat(weighed)[:, None], size=task.x.shape[2:], mode="bilinear", align_corners=False)
        count, height, width = shape
        return laid, f"layer {name!r} ({type(layer).__name__}): {count} maps of {height} x {width}"

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        if reason := super().obstacle(classifier, rows=rows, background=background, players=players):
            return reason
        if not any(isinstance(layer, nn.Conv2d) for layer in require_network(classifier).modules()):
            return "it weighs feature maps, and the network has no convolution over images (nn.Conv2d)"
        return ""


def batches(task: Task) -> list[tuple[Tensor, Tensor]]:
    """Inputs and their classes, as many at once as the device likes."""
    size = chunk_size(tuple(task.x.shape[1:]), elements=_CACHED if task.x.device.type == "cpu" else ELEMENTS)
    return list(zip(torch.split(task.x, size), torch.split(task.target, size), strict=True))


def _maps_and_slope(network: ExplainedNetwork, layer: nn.Module, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    found: list[Tensor] = []

    def take(_layer: nn.Module, _given: Any, output: Tensor) -> Tensor:
        found.append(output.detach().requires_grad_())
        # What follows may overwrite what it is given.
        return found[0].clone()

    handle = layer.register_forward_hook(take)
    try:
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(network(x, target).sum(), found[0])
    finally:
        handle.remove()
    return found[0].detach(), slope


def _layer(classifier: Classifier, name: str | None) -> tuple[str, tuple[int, int, int]]:
    """The layer of a name, or the default one, and the shape of its maps.

    Raises:
        ConfigurationError: If there is no such layer, or it gives no maps, or gives them more than once.
        NotApplicableError: If no layer gives maps.
    """
    if name is not None:
        layer_module(classifier, name)
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def seen(layer: str, _: tuple[Any, ...], output: Any) -> None:
        tensor = first_tensor(output)
        shapes.setdefault(layer, []).append(() if tensor is None or tensor is not output else tuple(tensor.shape[1:]))

    network = require_network(classifier)
    with watching(network, seen), torch.no_grad():
        run_network(classifier, probe(classifier))
    # In the order in which they end, each used once, and with more than one place on its maps.
    maps = {layer: (found[0][0], found[0][1], found[0][2]) for layer, found in shapes.items() if len(found) == 1 and len(found[0]) == 3}
    maps = {layer: shape for layer, shape in maps.items() if shape[1] * shape[2] > 1}
    if name is None:
        convolutions = [layer for layer in maps if isinstance(network.get_submodule(layer), nn.Conv2d)]
        if not convolutions:
            raise NotApplicableError(
                "no convolution of the network gives maps of more than one place in one use",
                remedy="take integrated_gradients or occlusion",
            )
        name = [layer for layer, shape in maps.items() if shape[1:] == maps[convolutions[-1]][1:]][-1]
    if name not in maps:
        found = shapes.get(name, [])
        given = "nothing" if not found else " and ".join(str(shape) for shape in found)
        raise ConfigurationError(
            f"the layer {name!r} gives {given} for one image, required are maps (channels, height, width) of more than one place, once",
            remedy=f"these give maps: {', '.join(maps) or 'none'}",
        )
    return name, maps[name]
