"""Interval bounds: what the outputs of a network can be when its inputs lie in a box (Gowal et al., 2018, arXiv:1810.12715).

They are sound and not tight: true outputs lie inside, up to the rounding of floating point, and a wide interval
proves nothing. A single linear layer's are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from classifier.architectures._layers import Standardize
from classifier.errors import ModelError, NotApplicableError
from classifier.plain import find_opaque

Box = tuple[Tensor, Tensor]
_Rule = Callable[[nn.Module, Tensor, Tensor], Box]

# GELU falls down to here and rises from here on: the root of its derivative.
_GELU_LOWEST_AT = -0.7517915246935645


def interval_bounds(module: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    """Lowest and highest outputs over each row's box, as the trained network computes them.

    Dropout is off and batch normalisation takes its running statistics, whatever mode the module is in. The bounds
    are differentiable with respect to the weights.

    Args:
        module: Layers in a row (``nn.Sequential``), each one that has a rule: linear layers, convolutions,
            standardization, batch normalisation, monotone activations, GELU, and pooling.
        lower: Lower corner of each row's box ``(N, *S)``.
        upper: Upper corner ``(N, *S)``.

    Returns:
        Lower and upper bound of each output, each ``(N, K)``.

    Raises:
        ModelError: If a lower corner is above its upper one.
        NotApplicableError: If a layer has no rule, or has a hook or a forward of its own; the message names it.
    """
    if not (lower <= upper).all():
        raise ModelError("a box needs lower corners that are nowhere above the upper ones, and no NaN")
    for layer in _layers(module):
        lower, upper = layer_bounds(layer, lower, upper)
    return lower, upper


def layer_bounds(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    """Lowest and highest outputs of one layer over each row's box, each ``(N, *T)``.

    Args:
        layer: One that has a rule, by its exact type.
        lower: Lower corner of each row's box ``(N, *S)``.
        upper: Upper corner ``(N, *S)``.

    Raises:
        NotApplicableError: If it has no rule; the message names it.
    """
    return _rule(layer)(layer, lower, upper)


def margin_bounds(module: nn.Module, lower: Tensor, upper: Tensor, labels: Tensor) -> Tensor:
    """How far each logit can be above that of the label over each row's box: upper bounds of ``z_k - z_y`` ``(N, K)``.

    A row whose bounds are all below 0, but for the label's own 0, is proven to keep its label in the whole box. The
    last layer is merged with the difference where it is linear, which is tighter than bounds of single logits; the
    margins of a linear model are exact.

    Args:
        module: As for `interval_bounds`; a single output z counts as the logits (-z/2, z/2).
        lower: Lower corner of each row's box ``(N, *S)``.
        upper: Upper corner ``(N, *S)``.
        labels: Label of each row ``(N,)``.
    """
    *body, last = _layers(module)
    if type(last) is nn.Linear:
        lower, upper = interval_bounds(nn.Sequential(*body), lower, upper)
        weight: Tensor = last.weight
        bias: Tensor = torch.zeros_like(weight[:, 0]) if last.bias is None else last.bias
    else:
        lower, upper = interval_bounds(module, lower, upper)
        weight, bias = torch.eye(lower.shape[1]).to(lower), torch.zeros(lower.shape[1]).to(lower)
    if len(weight) == 1:
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    difference = weight - weight[labels][:, None]
    centre, radius = (lower + upper) / 2, (upper - lower) / 2
    margins = torch.einsum("nkf,nf->nk", difference, centre) + torch.einsum("nkf,nf->nk", difference.abs(), radius)
    margins = margins + bias - bias[labels][:, None]
    # Exactly 0 at the label, where only rounding could say otherwise.
    return margins.scatter(1, labels[:, None], 0.0)


def _layers(module: nn.Module) -> list[nn.Module]:
    """The layers of a sequence, and of sequences in it, in order, if each does what its type tells."""
    opaque = find_opaque(module)
    if opaque is not None:
        what, where = opaque
        raise NotApplicableError(f"interval bounds cannot see through {what}{f' at {where}' if where else ''}")
    return _in_a_row(module)


def _in_a_row(module: nn.Module) -> list[nn.Module]:
    # Only the plain class is known to apply its children one after the other.
    return list(chain.from_iterable(map(_in_a_row, module))) if type(module) is nn.Sequential else [module]


def _rule(layer: nn.Module) -> _Rule:
    # By exact type: a subclass may compute something else.
    if type(layer) not in _RULES:
        raise NotApplicableError(
            f"interval bounds know no rule for the layer {type(layer).__name__}",
            remedy='take an architecture of plain layers in a row: "logistic", "mlp" or "cnn"',
        )
    return _RULES[type(layer)]


def _monotone(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    """Rises in each element, so that the corners go to the corners."""
    if getattr(layer, "inplace", False):
        lower, upper = lower.clone(), upper.clone()
    return layer(lower), layer(upper)


def _leaky_relu(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    assert isinstance(layer, nn.LeakyReLU)
    if not layer.negative_slope >= 0:
        raise NotApplicableError(f"interval bounds need a slope of LeakyReLU of at least 0, got {layer.negative_slope}")
    return _monotone(layer, lower, upper)


def _max_pool(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    assert isinstance(layer, nn.MaxPool1d | nn.MaxPool2d)
    if layer.return_indices:
        raise NotApplicableError("interval bounds know maximum pooling without indices", remedy="take return_indices=False")
    return _monotone(layer, lower, upper)


def _average(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    assert isinstance(layer, nn.AvgPool2d)
    if layer.divisor_override is not None and layer.divisor_override < 0:
        raise NotApplicableError(f"interval bounds know averages, got a divisor of {layer.divisor_override}")
    return _monotone(layer, lower, upper)


def _affine(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    """The centre goes through the layer, the radius through the size of its weights."""
    assert isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    sizes = {"weight": layer.weight.abs()}
    if layer.bias is not None:
        sizes["bias"] = torch.zeros_like(layer.bias)
    centre = layer((lower + upper) / 2)
    radius = functional_call(layer, sizes, ((upper - lower) / 2,))
    return centre - radius, centre + radius


def _batch_norm(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    if layer.running_mean is None or layer.running_var is None:
        raise NotApplicableError("interval bounds need batch normalisation with running statistics, which mixes no rows")
    shape = (1, -1, *[1] * (lower.dim() - 2))
    slope = (layer.running_var + layer.eps).rsqrt()
    slope = slope if layer.weight is None else slope * layer.weight
    shift = -layer.running_mean * slope
    shift = shift if layer.bias is None else shift + layer.bias
    slope, shift = slope.reshape(shape), shift.reshape(shape)
    ends = lower * slope + shift, upper * slope + shift
    return torch.minimum(*ends), torch.maximum(*ends)


def _gelu(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    assert isinstance(layer, nn.GELU)
    if layer.approximate != "none":
        raise NotApplicableError("interval bounds know GELU itself, not its approximation by tanh", remedy='take approximate="none"')
    ends = layer(lower), layer(upper)
    lowest = functional.gelu(torch.full_like(lower, _GELU_LOWEST_AT))
    dips = (lower <= _GELU_LOWEST_AT) & (upper >= _GELU_LOWEST_AT)
    return torch.where(dips, lowest, torch.minimum(*ends)), torch.maximum(*ends)


def _identity(layer: nn.Module, lower: Tensor, upper: Tensor) -> Box:
    return lower, upper


_MONOTONE = (
    Standardize, nn.Flatten, nn.ReLU, nn.Tanh, nn.Sigmoid,
    nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
)  # fmt: skip
_RULES: dict[type[nn.Module], _Rule] = {
    **dict.fromkeys(_MONOTONE, _monotone),
    **dict.fromkeys((nn.Linear, nn.Conv1d, nn.Conv2d), _affine),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    **dict.fromkeys((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity), _identity),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d), _max_pool),
    nn.AvgPool2d: _average,
    nn.LeakyReLU: _leaky_relu,
    nn.GELU: _gelu,
}
