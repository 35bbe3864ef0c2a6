"""DeepLIFT with the rescale rule (Shrikumar et al., 2017, arXiv:1704.02685), behind a completeness gate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.chunks import ELEMENTS, chunk_size, in_chunks
from classifier.classifier import Classifier
from explain.attribution._rules import LINEAR, MOVING, layer_used_twice, layer_without_rule
from explain.gradients.explained import ExplainedNetwork, captum_engines
from explain.gradients.gate import Balance, GatedMethod
from explain.method import METHODS, Law, Task

# Layers whose rule captum has; that of nn.Softmax sums over the rows of a batch, and is none.
_BENDING = frozenset({
    nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
})  # fmt: skip
#: A difference of a unit's inputs that is smaller is rounding: the ratio of differences is noise there, and the gradient is not.
NO_DIFFERENCE = 1e-5
# Input elements that go forwards and back at once on a processor, with those of the baselines.
_CACHED = 2**15


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class DeepLift(GatedMethod):
    """Hand the change of the output since the baseline down, unit by unit, in the ratio of each unit's change to its input's.

    Complete wherever every non-linearity is a layer that has a rule: attributions sum to ``f(x) - f(baseline)``. The gate
    finds the networks where one has none, such as a function called in `forward`, and refuses them. Two networks that
    compute the same function may be explained differently, and a feature that cancels out between layers may get
    something: neither *dummy* nor *symmetry* is promised (Sundararajan et al., 2017, section 2.1). One pass; of a text,
    take integrated gradients.

    Args:
        otherwise: What is done where the rules do not hold; see `explain.gradients.gate.GatedMethod`.
    """

    spelling: ClassVar[str] = "DeepLIFT"
    laws: ClassVar[frozenset[Law]] = frozenset({"linearity", "linear"})

    def unsuited(self, classifier: Classifier) -> str:
        calibration = classifier.description.calibration
        if calibration is not None and calibration.kind == "isotonic":
            return "the logits are calibrated along a broken line, for which there is no rule"
        return layer_without_rule(classifier, LINEAR | MOVING | _BENDING) or layer_used_twice(classifier, _BENDING)

    def propagate(self, task: Task) -> tuple[Balance, tuple[str, ...]]:
        engine = captum_engines().DeepLift(apart(ExplainedNetwork(task.output)), eps=NO_DIFFERENCE)
        reference = task.reference

        def shares(rows: Tensor) -> Tensor:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
                given: Tensor = engine.attribute(
                    task.x[rows].requires_grad_(), reference[rows], additional_forward_args=(task.target[rows],)
                )
            return given.detach()

        size = chunk_size(tuple(task.x.shape[1:]), elements=_CACHED if task.x.device.type == "cpu" else ELEMENTS)
        given = in_chunks(shares, torch.arange(len(task.x), device=task.x.device), size=size)
        value, base_value = (task.output(points, task.target) for points in (task.x, reference))
        return Balance(given, value - base_value, value.abs() + base_value.abs()), ()


def apart(network: ExplainedNetwork) -> ExplainedNetwork:
    """The same network, in which each layer with a rule takes a tensor of its own.

    Captum's rules replace the whole gradient of the tensor that a layer takes: where a residual block adds the same tensor
    to what comes out, its own part of the gradient would be lost.
    """
    for layer in network.modules():
        if type(layer) in _BENDING:
            layer.register_forward_pre_hook(lambda _layer, given: (given[0].clone(), *given[1:]))
    return network
