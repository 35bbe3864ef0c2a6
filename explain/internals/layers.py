"""Layers: what a network is made of, by name, in the order in which it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.modality import modality_of
from explain.gradients.continuum import embedding_network
from explain.inputs import checked_batch

#: What is called after a layer has computed: its name, what went in, and what came out.
Seen = Callable[[str, tuple[Any, ...], Any], None]


@dataclass(frozen=True)
class Layer:
    """A module inside a network.

    Args:
        name: Where it stands, ``"branch.0"``.
        kind: Its type, ``"Conv2d"``.
        shape: Shape of what it gives for one input; ``None`` where it gives no tensor, or is never called by itself.
        parameters: Numbers that it learned, with those of the layers in it.
        calls: How often one pass uses it.
        leaf: Whether it holds no other layers.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int
    calls: int
    leaf: bool


def list_layers(classifier: Classifier, x: Tensor | None = None) -> tuple[Layer, ...]:
    """All layers of a network, in the order in which they begin to compute; those that are never called come last.

    Args:
        classifier: One with a network.
        x: Inputs ``(N, *S)`` to see the shapes of; two that say nothing by default.

    Raises:
        NotApplicableError: If it is a black box.
    """
    module = require_network(classifier)
    calls: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...] | None] = {}

    def begin(name: str) -> None:
        calls[name] = calls.get(name, 0) + 1

    def seen(name: str, _: tuple[Any, ...], output: Any) -> None:
        found = first_tensor(output)
        shapes[name] = None if found is None else tuple(found.shape[1:])

    with watching(module, seen, begin=begin), torch.no_grad():
        run_network(classifier, probe(classifier) if x is None else checked_batch(classifier, x[:2]))
    places = {name: place for place, name in enumerate(calls)}
    names = [name for name, _ in module.named_modules() if name]
    return tuple(
        Layer(
            name,
            type(found := module.get_submodule(name)).__name__,
            shapes.get(name),
            sum(parameter.numel() for parameter in found.parameters()),
            calls.get(name, 0),
            next(found.children(), None) is None,
        )
        for name in sorted(names, key=lambda name: places.get(name, len(places)))
    )


def require_network(classifier: Classifier) -> nn.Module:
    """The network of a classifier.

    Raises:
        NotApplicableError: If it is a black box.
    """
    if classifier.module is None:
        raise NotApplicableError(
            "the classifier is a black box, and there is no network to look into",
            remedy="bring the network itself, or take what needs outputs only: kernel_shap, permutation_shap",
        )
    return classifier.module


def layer_module(classifier: Classifier, name: str) -> nn.Module:
    """The layer of a name.

    Raises:
        NotApplicableError: If the classifier is a black box.
        ConfigurationError: If its network has no such layer.
    """
    modules = dict(require_network(classifier).named_modules())
    if not name or name not in modules:
        raise ConfigurationError(f"the network has no layer {name!r}", remedy=did_you_mean(name, (known for known in modules if known)))
    return modules[name]


def own_weights(layer: nn.Module) -> list[nn.Parameter]:
    """What a layer learned itself, with its lists of weights and without the layers in it."""
    held = [part for part in layer.children() if isinstance(part, nn.ParameterList | nn.ParameterDict)]
    return [weight for part in (layer, *held) for weight in part.parameters(recurse=False)]


def probe(classifier: Classifier) -> Tensor:
    """Two inputs that say nothing ``(2, *S)``, on the classifier's device."""
    return modality_of(classifier.schema).neutral().expand(2, *classifier.schema.shape).to(classifier.device)


def run_network(classifier: Classifier, x: Tensor) -> Tensor:
    """What the network answers ``(N, K)``, every layer being asked for all inputs at once, in their order.

    A network of texts may sort them by length to save time; its layers would then see the rows in another order.

    Args:
        classifier: One with a network.
        x: Inputs ``(N, *S)``, on the classifier's device.
    """
    network = embedding_network(classifier)
    answer: Tensor = require_network(classifier)(x) if network is None else network.classify(network.embed(x), x)
    return answer


@contextmanager
def watching(
    module: nn.Module, seen: Seen, *, names: Sequence[str] | None = None, begin: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Be told of what the layers of a network compute.

    Args:
        module: The network; it is as before afterwards.
        seen: Called whenever a layer has computed.
        names: The layers to watch; all by default.
        begin: Called with its name before a layer computes.
    """
    modules: Mapping[str, nn.Module] = dict(module.named_modules())
    handles = []
    try:
        for name in [name for name in modules if name] if names is None else names:
            if begin is not None:
                handles.append(modules[name].register_forward_pre_hook(lambda _module, _given, name=name: begin(name)))
            handles.append(modules[name].register_forward_hook(lambda _module, given, output, name=name: seen(name, given, output)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in what a layer takes or gives: a tensor, or a list, tuple or mapping of such."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of what a layer gives; of a recurrent one, its states over time."""
    return next(tensors_in(value), None)
