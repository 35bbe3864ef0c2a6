"""Continuum: the space in which an output has gradients, that of the inputs themselves or of their tokens' embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from classifier.architecture import Embeds
from classifier.chunks import chunk_size, in_chunks
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.modality import modality_of

if TYPE_CHECKING:
    from explain.method import Task

# Input elements that go forwards and back at once on a processor: more leave its cache, and the layers of a network are
# remembered for each of them.
_CACHED = 2**16
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
        task: What is to be explained; it takes one baseline an input.

    Raises:
        ModelError: If the network answers otherwise to the embeddings of tokens than to the tokens.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._network = embedding_network(task.classifier)
        self.points, self.reference = self._points(task.x), self._points(task.reference)
        if self._network is not None:
            self._require_alike()

    @property
    def size(self) -> int:
        """How many points go forwards and back at once."""
        shape = tuple(self.points.shape[1:])
        return chunk_size(shape, elements=_CACHED) if self.points.device.type == "cpu" else chunk_size(shape)

    def output(self, points: Tensor, rows: Tensor) -> Tensor:
        """The output ``(n,)`` at points.

        Args:
            points: Where ``(n, *E)``; differentiable where they require a gradient.
            rows: The input that each point belongs to, by its number ``(n,)``: its class is explained, and it tells
                where a text ends.
        """
        target = self.task.target[rows]
        if self._network is None:
            return self.task.output(points, target)
        answer = self._network.classify(points, self.task.x[rows])
        return self.task.output.of_logits(self.task.classifier.logits_of(answer), target)

    def gradient(self, points: Tensor, rows: Tensor) -> Tensor:
        """The gradient of the output at points ``(n, *E)``, as many at once as there are; see `output`."""
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self.output(points, rows).sum(), points)
        return slope

    def to_elements(self, values: Tensor) -> Tensor:
        """Values of points ``(N, *E)`` as values of the inputs' elements ``(N, *S)``: those of an embedding are summed."""
        return values if self._network is None else values.sum(-1)

    def _points(self, x: Tensor) -> Tensor:
        return x if self._network is None else in_chunks(self._network.embed, x).detach()

    def _require_alike(self) -> None:
        rows = torch.arange(len(self.points), device=self.points.device)[:8]
        with torch.no_grad():
            by_points, by_tokens = self.output(self.points[rows], rows), self.task.output(self.task.x[rows], self.task.target[rows])
        if ((by_points - by_tokens).abs() > _ALIKE * (1 + by_tokens.abs())).any():
            raise ModelError(
                f"the network answers {float(by_tokens[0]):.4g} to tokens and {float(by_points[0]):.4g} to their embeddings",
                remedy="gradients by its embeddings would mislead; kernel_shap and permutation_shap need none",
            )
