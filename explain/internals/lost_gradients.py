"""Lost gradients: which layers no gradient of the loss reaches, and what stops it on the way."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from explain.internals.diagnosis import LayerHealth
from explain.internals.layers import own_weights, require_network, run_network
from explain.internals.resting_weights import rest_of

#: What stops a gradient. `cut`: autograd does not connect the layer with the loss. `flat`: a function without a slope, such as
#: round. `idle`: whatever the layer gives, the answer is the same. `dead`, `dying`: all or most units of an activation function
#: are dead. `saturated`: all of it is. `shrunk`: nothing, the gradient grew less from layer to layer until it was rounded to 0.
Cause = Literal["cut", "flat", "idle", "dead", "dying", "saturated", "shrunk"]

# Rows that tell whether a layer matters to the answer.
_ROWS = 16
# How far the weights are moved, in multiples of their own size: what is rounded may change by a long way only.
_TRIALS = (1, 10, 100)
# Below this share of the gradient at the last layer one is on its way to nothing.
_SHRUNK = 1e-3
# All values of an activation function, but for rounding.
_ALL = 0.99


def find_lost_gradients(classifier: Classifier, layers: tuple[LayerHealth, ...], x: Tensor) -> dict[tuple[Cause, str], list[str]]:
    """The layers that no gradient reaches, by what stops it, and at which activation function if it is one.

    Left out are layers that the answer does not use, and those whose gradient is 0 for what their own weights or those
    after them are; see `rest_of`.

    Args:
        classifier: One whose weights have the gradients of the loss; they are moved for a moment.
        layers: What was measured of its layers.
        x: Some inputs ``(N, *S)``.
    """
    module, found = require_network(classifier), dict[tuple[Cause, str], list[str]]()
    for place, layer in enumerate(layers):
        if layer.gradient != 0 or rest_of(module.get_submodule(layer.name)) in ("zero", "equal"):
            continue
        cause = _cause(classifier, layers, place, x[:_ROWS])
        if cause is not None:
            found.setdefault(cause, []).append(layer.name)
    return found


def _cause(classifier: Classifier, layers: tuple[LayerHealth, ...], place: int, x: Tensor) -> tuple[Cause, str] | None:
    module = require_network(classifier)
    layer = module.get_submodule(layers[place].name)
    if all(weight.grad is None for weight in own_weights(layer)):
        return ("cut", "") if _matters(classifier, layer, x) else None
    following = 0.0
    for later in layers[place + 1 :]:
        if later.mostly_dead:
            return ("dead" if later.dead == later.units else "dying"), later.name
        if later.saturation is not None and later.saturation > _ALL:
            return "saturated", later.name
        if later.gradient is not None:
            if rest_of(module.get_submodule(later.name)):
                return None
            following = later.gradient
        if following:
            break
    last = [later.gradient for later in layers if later.gradient is not None][-1]
    if 0 < following < _SHRUNK * last:
        return "shrunk", ""
    return ("flat", "") if _matters(classifier, layer, x) else ("idle", "")


@torch.no_grad()
def _matters(classifier: Classifier, layer: nn.Module, x: Tensor) -> bool:
    """Whether the answer changes with what a layer learned, tried with other weights in their place, ever further from them."""
    before = classifier.logits_of(run_network(classifier, x))
    generator = torch.Generator().manual_seed(0)
    weights = [weight for weight in own_weights(layer) if weight.is_floating_point()]
    kept = [weight.clone() for weight in weights]
    changed = False
    for scale in _TRIALS:
        for weight, value in zip(weights, kept, strict=True):
            size = value.square().mean().sqrt()
            noise = torch.randn(value.shape, generator=generator).to(value)
            weight.copy_(value + scale * torch.where(size > 0, size, 1.0) * noise)
        after = classifier.logits_of(run_network(classifier, x))
        changed = changed or (bool(after.isfinite().all()) and not torch.allclose(before, after, rtol=1e-5, atol=1e-6))
    for weight, value in zip(weights, kept, strict=True):
        weight.copy_(value)
    return changed
