"""Activations: what a layer gives for inputs, laid out in a row, and how the output follows it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ModelError
from explain.internals.layer_pass import LayerPass


def flat_activations(classifier: Classifier, x: Tensor, layer: str) -> Tensor:
    """What a layer gives for each input ``(N, D)``, on the classifier's device.

    Args:
        classifier: One with a network.
        x: Inputs ``(N, *S)``.
        layer: The layer's name; see `explain.internals.layers.list_layers`.

    Raises:
        NotApplicableError: If the classifier is a black box.
        ConfigurationError: If there is no such layer, or it does not give one tensor, once, with a row for each input.
        DataError: If the inputs are not finite.
    """
    whole = LayerPass(classifier, x, layer, target=0, baseline=None, output="logit")
    return torch.cat([whole.values(whole.space.points[rows], rows).flatten(1) for rows in whole.rows()])


def output_slopes(classifier: Classifier, x: Tensor, layer: str, *, target: int, output: str) -> Iterator[Tensor]:
    """The gradient of the output by what a layer gives ``(n, D)``, of some of the inputs ``(N, *S)`` after the others.

    Raises:
        ModelError: If a gradient is not finite; see also `flat_activations`.
    """
    whole = LayerPass(classifier, x, layer, target=target, baseline=None, output=output)
    for rows in whole.rows():
        _, slope = whole.slope(whole.space.points[rows], rows)
        if not slope.isfinite().all():
            raise ModelError(f"the gradients at the layer {layer!r} are not finite", remedy="check the weights, or take another layer")
        yield slope.flatten(1)
