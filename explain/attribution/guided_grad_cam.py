"""Guided Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391, section 3.2): Grad-CAM times guided backpropagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from classifier.errors import NotApplicableError
from classifier.seeds import Seed
from explain.attribution._feature_maps import batches
from explain.attribution.grad_cam import GradCAM
from explain.gradients.explained import ExplainedNetwork
from explain.method import METHODS, Scores, Task

_OVERWRITING = (torch.relu_, Tensor.relu_)
_RELUS = (nn.functional.relu, torch.relu, Tensor.relu, *_OVERWRITING)


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class GuidedGradCAM(GradCAM):
    """Multiply the map of Grad-CAM, at each pixel, by a gradient that passes a ReLU only where it is positive.

    A picture of edges in the region that Grad-CAM finds. Guided backpropagation (Springenberg et al., 2015,
    arXiv:1412.6806) hardly changes when the weights of a network are drawn at random (Adebayo et al., 2018,
    arXiv:1810.03292): it shows what the image holds more than why the network decided, and is no evidence of that. A
    ReLU that is called as a function counts as one that is a layer.

    Args:
        layer: The layer; see `MapMethod`.
        signed: Whether Grad-CAM keeps what lowers the output.
    """

    spelling: ClassVar[str] = "guided GradCAM"

    def __call__(self, task: Task, seed: Seed) -> Scores:
        places, note = self.places(task)
        network = ExplainedNetwork(task.output)
        slopes = []
        for x, target in batches(task):
            points = x.detach().clone().requires_grad_()
            with torch.enable_grad(), _GuidedReLUs() as guided:
                (slope,) = torch.autograd.grad(network(points, target).sum(), points)
            if not guided.count:
                raise NotApplicableError(
                    "guided_grad_cam does not apply: the network has no ReLU that would guide the gradient",
                    remedy="these do: grad_cam, layer_cam, integrated_gradients",
                )
            slopes.append(slope)
        return Scores(torch.cat(slopes) * places, exact=True, notes=(note,))


class _GuidedReLUs(TorchFunctionMode):
    """While it is entered, every ReLU passes back only what is positive, and only where its input is."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        named = named or {}
        if function not in _RELUS:
            return function(*given, **named)
        if function in _OVERWRITING or named.get("inplace") or given[1:2] == (True,):
            raise NotApplicableError(
                "guided_grad_cam does not apply: the network calls a ReLU that overwrites its input",
                remedy="call it without inplace, or take grad_cam or layer_cam",
            )
        self.count += 1
        guided: Tensor = _GuidedReLU.apply(given[0] if given else named["input"])  # type: ignore[no-untyped-call]
        return guided


class _GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(context: Any, *slopes: Any) -> Tensor:
        (x,) = context.saved_tensors
        passed: Tensor = slopes[0].clamp_min(0) * (x > 0)
        return passed
