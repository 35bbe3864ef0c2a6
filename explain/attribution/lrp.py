"""Layer-wise relevance propagation (Bach et al., 2015, doi:10.1371/journal.pone.0130140), behind a gate of conservation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.chunks import ELEMENTS, chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from explain.attribution._relevance import BENDING, NORMALISING, RelevanceRules
from explain.attribution._rules import LINEAR, MOVING, layer_without_rule
from explain.gradients.explained import ExplainedNetwork
from explain.gradients.gate import Balance, GatedMethod
from explain.method import METHODS, Law, Quantity, Task

# Layers whose output is a sum of their inputs, each times 0 or another factor: the gradient is the rule.
_CHOOSING = frozenset({
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
})  # fmt: skip
# Input elements that go forwards and back at once on a processor.
_CACHED = 2**16


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class LRP(GatedMethod):
    """Hand the output itself down, layer by layer, to each input of a unit in proportion to its part of the unit (equation 58).

    Relevance starts as the output ``f(x)`` and is conserved: what reaches the elements, and what biases and `epsilon` keep on
    the way, sum to ``f(x)``; the gate measures that for every row. Since the biases' part belongs to no feature, the numbers
    are weights and no contributions to a change. There is no baseline: a network's own standardisation passes relevance on
    unchanged, so that an element at its training mean gets none.

    With ReLU and pooling only and `epsilon` near 0, it is the gradient times the standardised input (Ancona et al., 2018,
    arXiv:1711.06104, proposition 1). The same function may be explained differently where it is computed differently.

    Args:
        epsilon: Added to the size of each unit before its relevance is divided by it, in the unit's own units. A larger
            one keeps relevance that parts of opposite signs would blow up.
        otherwise: What is done where the rules do not hold; see `explain.gradients.gate.GatedMethod`.
    """

    spelling: ClassVar[str] = "LRP"
    quantity: ClassVar[Quantity] = "weight"
    laws: ClassVar[frozenset[Law]] = frozenset()

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.epsilon >= 0 and math.isfinite(self.epsilon)):
            raise ConfigurationError(f"epsilon must be at least 0 and finite, got {self.epsilon}")

    def unsuited(self, classifier: Classifier) -> str:
        calibration = classifier.description.calibration
        if calibration is not None and calibration.kind == "isotonic":
            return "the logits are calibrated along a broken line, for which there is no rule"
        return layer_without_rule(classifier, LINEAR | MOVING | _CHOOSING | BENDING | NORMALISING)

    def propagate(self, task: Task) -> tuple[Balance, tuple[str, ...]]:
        network = ExplainedNetwork(task.output)
        size = chunk_size(tuple(task.x.shape[1:]), elements=_CACHED if task.x.device.type == "cpu" else ELEMENTS)
        batches = zip(torch.split(task.x, size), torch.split(task.target, size), strict=True)
        parts = [self._pass(network, x, target) for x, target in batches]
        relevance, kept, value = (torch.cat(part) for part in zip(*parts, strict=True))
        output = task.output.kind.replace("_", "-")
        note = f"the {output} is {float(value.abs().mean()):.3g} in mean size, and biases keep {float(kept.abs().mean()):.3g} of it"
        return Balance(relevance, value, value.abs(), kept), (note,)

    def _pass(self, network: ExplainedNetwork, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Relevance of the elements of some rows, what was kept on the way, and their output."""
        points = x.detach().clone().requires_grad_()
        with torch.enable_grad(), RelevanceRules(network.network, points, self.epsilon) as rules:
            answer = network.network(points)
            value = network.of_answer(answer, target)
            (slope,) = torch.autograd.grad(value.sum(), points)
        # What a calibration adds to logits is a bias as well.
        return (x - rules.origin) * slope, rules.kept + network.of_answer(torch.zeros_like(answer), target), value.detach()
