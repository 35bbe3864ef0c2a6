"""The explained output as a network of its own, for methods that go through its layers."""

from __future__ import annotations

import copy
import warnings
from itertools import chain
from typing import Any

from torch import Tensor, nn

from explain.gradients.continuum import embedding_network
from explain.internals.layers import require_network
from explain.output import Output


class ExplainedNetwork(nn.Module):
    """A network from points to the one number that is explained.

    Its layers are copies that share the classifier's weights: what is hooked to them does not reach the classifier, and
    none of them overwrites its input.

    Args:
        output: The number that is explained.

    Raises:
        NotApplicableError: If the classifier is a black box.
    """

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output
        network = require_network(output.classifier)
        shared: dict[int, Any] = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
        self.network = copy.deepcopy(network, shared)
        for layer in self.network.modules():
            if getattr(layer, "inplace", False):
                layer.inplace = False  # type: ignore[assignment]

    def forward(self, points: Tensor, target: Tensor, x: Tensor | None = None) -> Tensor:
        """The output ``(N,)``.

        Args:
            points: Inputs ``(N, *S)``, or the embeddings of a text's tokens ``(N, T, E)``.
            target: Class to explain, for each point ``(N,)``.
            x: The texts that embeddings belong to ``(N, T)``.
        """
        network: Any = self.network
        embedded = x is not None and embedding_network(self.output.classifier) is not None
        return self.of_answer(network.classify(points, x) if embedded else network(points), target)

    def of_answer(self, answer: Tensor, target: Tensor) -> Tensor:
        """The output ``(N,)`` where the network answers ``(N, K)``, or one logit a row."""
        return self.output.of_logits(self.output.classifier.logits_of(answer), target)


def captum_engines() -> Any:
    """``captum.attr``. A notebook without widgets is not told of a progress bar that nobody shows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        from captum import attr
    return attr
