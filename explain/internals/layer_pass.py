"""Layer pass: a network up to one of its layers, and from there to the output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from classifier.chunks import ELEMENTS, chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from explain.gradients.continuum import Continuum, embedding_network, why_no_gradients
from explain.gradients.explained import ExplainedNetwork
from explain.inputs import checked_batch, resolve_baseline
from explain.internals.layers import layer_module
from explain.method import Task
from explain.output import Output, Target, resolve_target

# Numbers that a layer gives at once on a processor; the inputs that they come from are few beside them.
_CACHED = 2**18


class LayerPass:
    """What a layer gives for inputs and for their baselines, and how the output depends on it.

    Args:
        classifier: One with a network whose output has gradients.
        inputs: Encoded inputs ``(N, *S)``.
        layer: The layer's name; see `explain.internals.layers.list_layers`.
        target: Class to explain; see :func:`explain.attribute`.
        baseline: What the inputs are compared with, ``(*S)`` or one for each input ``(N, *S)``.
        output: What is explained; see :func:`explain.attribute`.

    Raises:
        NotApplicableError: If the classifier is a black box or has no gradients.
        ConfigurationError: If there is no such layer, or it does not give one tensor, once, with a row for each input.
        DataError: If inputs or baseline are not finite.
    """

    def __init__(self, classifier: Classifier, inputs: Tensor, layer: str, *, target: Target, baseline: Tensor | None, output: str) -> None:
        layer_module(classifier, layer)
        if reason := why_no_gradients(classifier):
            raise NotApplicableError(
                f"the attribution of a layer needs gradients, and {reason}", remedy="explain the inputs by kernel_shap"
            )
        x = checked_batch(classifier, inputs)
        reference = resolve_baseline(classifier, baseline)[0].to(x)
        if len(reference) not in (1, len(x)):
            raise ConfigurationError(f"baseline must be one, or one for each of the {len(x)} inputs, got {len(reference)}")
        self.task = Task(Output.of(classifier, output), x, resolve_target(classifier, x, target), reference)
        self.name, self.space = layer, Continuum(self.task)
        self.network = ExplainedNetwork(self.task.output)
        self.layer: nn.Module = self.network.network.get_submodule(layer)
        self.shape = self._require_one_tensor()

    @property
    def size(self) -> int:
        """How many inputs go through the network at once."""
        elements = _CACHED if self.task.x.device.type == "cpu" else ELEMENTS
        return min(self.space.size, chunk_size(self.shape, elements=elements))

    def rows(self) -> Iterator[Tensor]:
        """The numbers of all inputs, as many at once as go through together."""
        yield from torch.split(torch.arange(len(self.task.x), device=self.task.x.device), self.size)

    def output(self, points: Tensor, rows: Tensor, instead: Tensor | None = None) -> Tensor:
        """The output at points ``(n,)``, with what the layer gives, or with something else in its place ``(n, *L)``."""
        with torch.no_grad(), self._hooked([], instead):
            return self._run(points, rows)

    def values(self, points: Tensor, rows: Tensor) -> Tensor:
        """What the layer gives at points ``(n, *L)``; `rows` are the inputs that they belong to, by their numbers ``(n,)``."""
        found: list[Tensor] = []
        with torch.no_grad(), self._hooked(found):
            self._run(points, rows)
        return found[0]

    def slope(self, points: Tensor, rows: Tensor, instead: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the layer gives at points, or something else in its place, and the gradient of the output there, ``(n, *L)`` each."""
        found: list[Tensor] = []
        with torch.enable_grad(), self._hooked(found, instead):
            (slope,) = torch.autograd.grad(self._run(points.detach(), rows).sum(), found[0])
        return found[0].detach(), slope

    def unit(self, points: Tensor, rows: Tensor, index: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """What one number of the layer is at points ``(n,)``, and its gradient there ``(n, *E)``."""
        found: list[Tensor] = []
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            handle = self.layer.register_forward_hook(lambda _layer, _given, output: found.append(output))
            try:
                self._run(points, rows)
            finally:
                handle.remove()
            place: tuple[int | slice, ...] = (slice(None), *index)
            chosen = found[0][place]
            (slope,) = torch.autograd.grad(chosen.sum(), points)
        return chosen.detach(), slope

    def _run(self, points: Tensor, rows: Tensor) -> Tensor:
        out: Tensor = self.network(points, self.task.target[rows], self.task.x[rows])
        return out

    @contextmanager
    def _hooked(self, found: list[Tensor], instead: Tensor | None = None) -> Iterator[None]:
        """Catch what the layer gives, or what is put in its place, as a tensor that the gradient stops at."""

        def catch(_layer: nn.Module, _given: Any, output: Tensor) -> Tensor:
            caught = (output if instead is None else instead).detach().requires_grad_(torch.is_grad_enabled())
            found.append(caught)
            # What follows may overwrite what it is given.
            return caught.clone()

        handle = self.layer.register_forward_hook(catch)
        try:
            yield
        finally:
            handle.remove()

    def _require_one_tensor(self) -> tuple[int, ...]:
        seen: list[Any] = []
        handle = self.layer.register_forward_hook(lambda _layer, _given, output: seen.append(output))
        rows = torch.arange(len(self.task.x), device=self.task.x.device)[:2]
        try:
            with torch.no_grad():
                self._run(self.space.points[rows], rows)
        finally:
            handle.remove()
        kind = type(self.layer).__name__
        remedy = "explain.internals.layers.list_layers tells what each layer gives"
        if len(seen) != 1:
            before = " between the embeddings and the output" if embedding_network(self.task.classifier) is not None else ""
            raise ConfigurationError(f"the layer {self.name!r} ({kind}) is used {len(seen)} times{before}, required is once", remedy=remedy)
        if not isinstance(seen[0], Tensor) or len(seen[0]) != len(rows) or not seen[0].is_floating_point():
            raise ConfigurationError(f"the layer {self.name!r} ({kind}) does not give one tensor with a row for each input", remedy=remedy)
        return tuple(seen[0].shape[1:])


def neuron_index(shape: tuple[int, ...], neuron: int | Sequence[int], layer: str) -> tuple[int, ...]:
    """The index of one number in what a layer gives for an input.

    Raises:
        ConfigurationError: If there is no such number.
    """
    index = (neuron,) if isinstance(neuron, int) else tuple(neuron)
    if len(index) != len(shape) or any(not 0 <= place < extent for place, extent in zip(index, shape, strict=False)):
        highest = ", ".join(str(extent - 1) for extent in shape)
        raise ConfigurationError(
            f"the layer {layer!r} gives numbers of shape {shape} for an input, and has no neuron {neuron}",
            remedy=f"name one by {len(shape)} whole number{'s' if len(shape) != 1 else ''} from 0 to {highest}",
        )
    return index
