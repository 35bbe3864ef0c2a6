"""Continuum: the space in which an output has gradients, that of the inputs themselves or of their tokens' embeddings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from classifier.architecture import Embeds
from classifier.chunks import in_chunks
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.modality import modality_of
from explain.gradients.piecewise import split_affine
from explain.gradients.plain_layers import PlainLayers

if TYPE_CHECKING:
    from explain.method import Task

# Numbers that a network may remember for its way back at once, on a processor and on another device: more leave the
# processor's cache, and what fits into memory is far more.
_CACHED, _REMEMBERED = 2**21, 2**27
# How far the answer to embeddings may be from that to their tokens, as a share of the logits' size.
_ALIKE = 1e-3


def why_no_gradients(classifier: Classifier) -> str:
    """Why the output has no gradients, neither by inputs nor by embeddings; empty where it has."""
    if classifier.differentiable or embedding_network(classifier) is not None:
        return ""
    if classifier.module is None:
        return classifier.why_no_gradients
    return f"{classifier.why_no_gradients}, and the network does not say how it embeds them (classifier.architecture.Embeds)"


def embedding_network(classifier: Classifier) -> Embeds | None:
    """The network where its inputs are discrete and it says how it embeds them, else nothing."""
    network: Any = classifier.module
    return network if isinstance(network, Embeds) and not modality_of(classifier.schema).continuous else None


class Continuum:
    """Inputs as points, of which the output is a smooth function.

    Args:
        task: What is to be explained.

    Raises:
        ModelError: If the network answers otherwise to the embeddings of tokens than to the tokens.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.embedded = embedding_network(task.classifier)
        self.points = self.enter(task.x)
        self._wrong = torch.zeros((), dtype=torch.int64, device=task.x.device)
        self._asked = 0
        self._begin: nn.Module
        self._rest: nn.Module | None
        self._begin, self._rest = (nn.Sequential(), None) if self.embedded else split_affine(_network(task))
        classes, self._column = torch.unique(task.target, return_inverse=True)
        self._plain = None if self._rest is None else PlainLayers.of(self._rest, task.output, classes)
        if self.embedded is not None:
            self._require_alike()

    @cached_property
    def reference(self) -> Tensor:
        """Where each input's path starts ``(N, *E)``; the task takes one baseline an input."""
        return self.enter(self.task.reference)

    @cached_property
    def size(self) -> int:
        """How many points go forwards and back at once: as many as leave the network a bounded number of values to remember."""
        counted = 0

        def count(values: Tensor) -> Tensor:
            nonlocal counted
            counted += values.numel() if values.untyped_storage().data_ptr() not in weights else 0
            return values

        weights = {weight.untyped_storage().data_ptr() for weight in _network(self.task).state_dict().values()}
        rows = torch.zeros(1, dtype=torch.int64, device=self.points.device)
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda values: values):
            self.output(self.points[:1].detach().requires_grad_(), rows)
        budget = _CACHED if self.points.device.type == "cpu" else _REMEMBERED
        return max(1, budget // max(1, counted, self.points[0].numel()))

    def enter(self, x: Tensor) -> Tensor:
        """The points ``(n, *E)`` of inputs ``(n, *S)``: themselves, or the embeddings of their tokens."""
        return x if self.embedded is None else in_chunks(self.embedded.embed, x).detach()

    def output(self, points: Tensor, rows: Tensor) -> Tensor:
        """The output ``(n,)`` at points.

        Args:
            points: Where ``(n, *E)``; differentiable where they require a gradient.
            rows: The input that each point belongs to, by its number ``(n,)``: its class is explained, and it tells
                where a text ends.
        """
        if self.embedded is None:
            return self._chosen(_network(self.task)(points), rows)
        return self._chosen(self.embedded.classify(points, self.task.x[rows]), rows)

    def begin(self, points: Tensor) -> Tensor:
        """What the affine layers that the network begins with make of points ``(n, *H)``; the points where there are none."""
        return self._begin(points)

    def finish(self, begun: Tensor, rows: Tensor) -> Tensor:
        """The output ``(n,)`` where `begin` gave ``(n, *H)``; see `output`."""
        return self.output(begun, rows) if self._rest is None else self._chosen(self._rest(begun), rows)

    def slopes(self, begun: Tensor, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The output ``(n,)`` where `begin` gave ``(n, *H)``, and its gradient by that, times a weight ``(n, *H)``.

        Args:
            begun: What `begin` gave; it may be written over.
            rows: The input that each belongs to ``(n,)``.
            weights: How much each counts ``(n,)``.
        """
        if self._plain is not None:
            outputs, kept = self._plain.forwards(begun.detach())
            column = self._column[rows][:, None]
            values = outputs.gather(1, column)[:, 0]
            self._watch(values)
            return values, self._plain.backwards(torch.zeros_like(outputs).scatter_(1, column, weights[:, None]), kept)
        points = begun.detach().requires_grad_()
        with torch.enable_grad():
            values = self.finish(points, rows)
            (slopes,) = torch.autograd.grad(values, points, weights)
        return values.detach(), slopes

    def gradient(self, points: Tensor, rows: Tensor) -> Tensor:
        """The gradient of the output at points ``(n, *E)``, as many at once as there are; see `output`."""
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self.output(points, rows).sum(), points)
        return slope

    def to_elements(self, values: Tensor) -> Tensor:
        """Values of points ``(N, *E)`` as values of the inputs' elements ``(N, *S)``: those of an embedding are summed."""
        self.require_finite()
        return values if self.embedded is None else values.sum(-1)

    def require_finite(self) -> None:
        """Look at whether all outputs were finite.

        A processor looks at once; elsewhere this is called at the end, since to look at a value stops a device.

        Raises:
            ModelError: If one was not.
        """
        self.task.output.require_finite(int(self._wrong), self._asked)

    def _chosen(self, answer: Tensor, rows: Tensor) -> Tensor:
        chosen = self.task.output.chosen(self.task.classifier.logits_of(answer), self.task.target[rows])
        self._watch(chosen.detach())
        return chosen

    def _watch(self, values: Tensor) -> None:
        self._wrong += (~values.isfinite()).sum()
        self._asked += len(values)
        if values.device.type == "cpu":
            self.require_finite()

    def _require_alike(self) -> None:
        rows = torch.arange(len(self.points), device=self.points.device)[:8]
        with torch.no_grad():
            by_points, by_tokens = self.output(self.points[rows], rows), self.task.output(self.task.x[rows], self.task.target[rows])
        if ((by_points - by_tokens).abs() > _ALIKE * (1 + by_tokens.abs())).any():
            raise ModelError(
                f"the network answers {float(by_tokens[0]):.4g} to tokens and {float(by_points[0]):.4g} to their embeddings",
                remedy="gradients by its embeddings would mislead; kernel_shap and permutation_shap need none",
            )


def _network(task: Task) -> nn.Module:
    network = task.classifier.module
    assert network is not None  # a method that needs gradients is refused where there is none
    return network
