"""A network of affine layers and ReLU in a row, read into matrices in double precision."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from audit.robustness.certificates.exact_part import Part
from classifier.calibration import Calibration
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from explain.gradients.piecewise import is_affine, is_hooked, layers_in_a_row

# Numbers in one matrix: 2**25 doubles are 256 MiB, and a network of more is not a small one.
_ELEMENTS = 2**25
_ROUND_NOTHING = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
# How far the matrices may answer otherwise than the network in 32 bits, as a share of the logits' size.
_ALIKE = 1e-3


@dataclass(frozen=True)
class DenseNetwork:
    """Matrices with (leaky) ReLU between them, up to logits of which the largest is what is decided.

    Args:
        weights: Matrix of each layer ``(out, in)``, in double precision; the last gives ``K`` logits.
        biases: What each layer adds ``(out,)``.
        slopes: Slope below 0 of the activation after each layer but the last; 0 for ReLU.
        parts: The layers of the network that each matrix stands for, which all round in 32 bits.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    slopes: tuple[float, ...]
    parts: tuple[tuple[Part, ...], ...]

    @classmethod
    def of(cls, classifier: Classifier, *, threshold: float = 0.5) -> DenseNetwork:
        """Read a classifier's network.

        Args:
            classifier: Its network must be layers in a row (``nn.Sequential``): affine ones, ReLU and leaky ReLU.
            threshold: Of two classes, the probability of the event at which it is presumed.

        Raises:
            NotApplicableError: If it is a black box, a layer is another one, or a layer is too wide.
        """
        module = classifier.module
        if module is None:
            raise NotApplicableError("an exact answer reads the layers of a network, and the classifier is a black box")
        if not classifier.differentiable:
            raise NotApplicableError(f"an exact answer needs inputs that change by a little: {classifier.why_no_gradients}")
        if any(is_hooked(layer) or "forward" in vars(layer) for layer in module.modules()):
            raise NotApplicableError("an exact answer reads the layers of a network, and this one has hooks or methods of its own on them")
        weights, biases, slopes = list[Tensor](), list[Tensor](), list[float]()
        parts, now = list[tuple[Part, ...]](), list[Part]()
        points = _basis(tuple(classifier.schema.shape))
        for name, layer in _named(module):
            if is_affine(layer):
                shape, points = tuple(points.shape[1:]), _through(points, layer, name)
                if type(layer) not in _ROUND_NOTHING:
                    now.append(Part.of(layer, shape))
                continue
            slope = _slope(layer, name)
            weight, bias = _matrix(points)
            weights.append(weight)
            biases.append(bias)
            slopes.append(slope)
            parts.append(tuple(now))
            points, now = _basis(tuple(points.shape[1:])), []
        weight, bias = _matrix(points)
        now.append(_last(len(bias), classifier, threshold))
        weight, bias = _decided(weight, bias, classifier, threshold)
        return cls((*weights, weight), (*biases, bias), tuple(slopes), (*parts, tuple(now)))

    def __call__(self, x: Tensor) -> Tensor:
        """Logits of inputs ``(N, D)``, shifted so that the largest is what is decided ``(N, K)``, in double precision."""
        for weight, bias, slope in zip(self.weights[:-1], self.biases[:-1], self.slopes, strict=True):
            x = nn.functional.leaky_relu(x @ weight.T + bias, slope)
        return x @ self.weights[-1].T + self.biases[-1]

    def require_alike(self, classifier: Classifier, x: Tensor, *, threshold: float) -> float:
        """By how much the margins of the network itself may differ from these matrices', as seen on inputs ``(N, *S)``.

        Raises:
            NotApplicableError: If it is more than rounding, so that the network does something that its layers do not tell.
        """
        mine, theirs = self(x.double().cpu().flatten(1)), decision_logits(classifier, x, threshold=threshold).double().cpu()
        mine, theirs = mine - mine[:, :1], theirs - theirs[:, :1]
        largest, calibration = 1 + mine.abs().max().item(), classifier.description.calibration
        if calibration is not None and calibration.kind == "isotonic":
            # A broken line stretches the margins, so that only their signs are alike; where it is flat, rounding moves the decision.
            apart = mine[(mine * theirs < 0)].abs().max().item() if (mine * theirs < 0).any() else 0.0
            flattest = min((b - a) / (d - c) for (c, a), (d, b) in pairwise(calibration.knots)) if len(calibration.knots) > 1 else 1.0
            rounding = 1e-6 * max(1.0, *(abs(after) for _, after in calibration.knots)) / min(1.0, flattest)
        else:
            apart, rounding = (mine - theirs).abs().max().item(), 0.0
        if not apart <= _ALIKE * largest:
            raise NotApplicableError(f"the network answers otherwise than its layers do in a row: margins differ by {apart:.2g}")
        return max(apart, rounding)


def decision_logits(classifier: Classifier, x: Tensor, *, threshold: float) -> Tensor:
    """The classifier's logits ``(N, K)``, of two classes shifted so that the event is presumed where its logit is at least the other."""
    logits = classifier.logits(x)
    if logits.shape[1] == 2:
        logits = logits - torch.tensor([0.0, math.log(threshold / (1 - threshold))]).to(logits)
    return logits


def _named(module: nn.Module) -> list[tuple[str, nn.Module]]:
    names = {id(layer): name for name, layer in module.named_modules()}
    return [(names[id(layer)], layer) for layer in layers_in_a_row(module)]


def _slope(layer: nn.Module, name: str) -> float:
    if type(layer) is nn.ReLU:
        return 0.0
    if type(layer) is nn.LeakyReLU and 0 <= layer.negative_slope < 1:
        return float(layer.negative_slope)
    raise NotApplicableError(
        f"not exactly certifiable: {type(layer).__name__}{f' at {name}' if name else ''}",
        remedy="an exact answer knows affine layers, ReLU and leaky ReLU in a row",
    )


def _basis(shape: tuple[int, ...]) -> Tensor:
    """The point 0 and the unit vectors, each as an input of that shape ``(1 + D, *shape)``."""
    size = prod(shape)
    if size * (size + 1) > _ELEMENTS:
        raise NotApplicableError(f"the network is not small enough for an exact answer: a layer has {size} outputs")
    return torch.cat([torch.zeros(1, size), torch.eye(size)]).double().reshape(size + 1, *shape)


@torch.no_grad()
def _through(points: Tensor, layer: nn.Module, name: str) -> Tensor:
    """What an affine layer makes of the points."""
    moved: Tensor = copy.deepcopy(layer).cpu().double().eval()(points)
    if moved.numel() > _ELEMENTS:
        raise NotApplicableError(f"the network is not small enough for an exact answer: {name} has {moved[0].numel()} outputs")
    return moved


def _matrix(points: Tensor) -> tuple[Tensor, Tensor]:
    flat = points.flatten(1)
    return (flat[1:] - flat[0]).T.contiguous(), flat[0].clone()


def _decided(weight: Tensor, bias: Tensor, classifier: Classifier, threshold: float) -> tuple[Tensor, Tensor]:
    """The last layer, so that the largest of its logits is what is decided once they are calibrated."""
    classes, calibration = len(classifier.classes), classifier.description.calibration
    if len(weight) == 1 and classes == 2:
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    least = math.log(threshold / (1 - threshold))
    if calibration is not None and calibration.kind == "isotonic":
        # A rising line: the event is presumed from the log-odds on that it maps to those of the threshold.
        back = Calibration(kind="isotonic", knots=tuple((after, before) for before, after in calibration.knots))
        mapped = back(torch.tensor([[-least / 2, least / 2]], dtype=torch.float64))[0]
        least = float(mapped[1] - mapped[0])
    elif calibration is not None:
        weight, bias = weight / calibration.temperature, bias / calibration.temperature
        bias = bias + torch.tensor(calibration.bias).double() if calibration.bias else bias
    if classes == 2:
        bias = bias - torch.tensor([0.0, least]).double()
    return weight, bias


def _last(outputs: int, classifier: Classifier, threshold: float) -> Part:
    """What makes logits that decide of the network's outputs."""
    weight, bias = _decided(*_matrix(_basis((outputs,))), classifier, threshold)
    layer = nn.Linear(outputs, len(bias), dtype=torch.float64).requires_grad_(False)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return Part.of(layer, (outputs,))
