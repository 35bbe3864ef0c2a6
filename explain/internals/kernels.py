"""Filters: the weights of a layer, as pictures where they look at pictures and by feature where they look at features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from explain.internals.layers import layer_module, list_layers, probe, require_network, run_network, watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WITH_FILTERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, eq=False)
class Filters:
    """What each unit of a layer looks for.

    The weights of a network's first layer act on its inputs as the layers before pass them on: standardized, where the
    network does so.

    Args:
        layer: The layer's name.
        weights: Of each unit ``(units, inputs)``, or of each filter ``(units, channels, *kernel)``.
        inputs: What the inputs, or the channels, are.
        original: Whether they are the parts of an input itself, and not units of another layer.
    """

    layer: str
    weights: Tensor
    inputs: tuple[str, ...]
    original: bool

    def to_frame(self) -> pd.DataFrame:
        """One line for each unit and input: the weight; of a filter its size over the kernel, the root of the sum of squares."""
        sizes = self.weights if self.weights.dim() == 2 else self.weights.flatten(2).norm(dim=2)
        units, inputs = sizes.shape
        return pd.DataFrame(
            {
                "unit": [unit for unit in range(units) for _ in range(inputs)],
                "input": list(self.inputs) * units,
                "weight" if self.weights.dim() == 2 else "size": sizes.flatten().tolist(),
            }
        )

    def plot(self, *, limit: int = 16) -> Figure:
        """Draw the largest `limit`: filters as pictures, several in one figure, or the weights of units as a heat map by input."""
        from explain.figures.network.filter_maps import draw_filters

        return draw_filters(self, limit=limit)

    def __repr__(self) -> str:
        return f"Filters({self.layer}, {tuple(self.weights.shape)})"

    def _repr_html_(self) -> str:
        from html import escape

        frame = self.to_frame()
        largest = frame.reindex(frame.iloc[:, 2].abs().sort_values(ascending=False, kind="stable").index).head(10)
        return f"<p>{escape(repr(self))}, the largest</p>{largest.to_html(index=False, float_format='{:.3g}'.format, escape=True)}"


def filters(classifier: Classifier, layer: str) -> Filters:
    """The weights of a linear layer or a convolution.

    Args:
        classifier: One with a network.
        layer: The name of the layer; :func:`list_layers` tells them.

    Raises:
        NotApplicableError: If the classifier is a black box, or the layer has no filters; the message names those that do.
        ConfigurationError: If there is no such layer.
    """
    module = layer_module(classifier, layer)
    if not isinstance(module, _WITH_FILTERS):
        kinds = {kind.__name__ for kind in _WITH_FILTERS}
        names = ", ".join(known.name for known in list_layers(classifier) if known.kind in kinds)
        raise NotApplicableError(
            f"the layer {layer!r} is of type {type(module).__name__}, and has no filters",
            remedy=f"these have: {names or 'none'}",
        )
    weights, schema = module.weight.detach().cpu(), classifier.schema
    if schema.modality in ("tabular", "image") and _looks_at_the_input(classifier, layer):
        if not isinstance(module, nn.Linear):
            return Filters(layer, weights, schema.names, True)
        if schema.modality == "tabular":
            return Filters(layer, weights, tuple(schema.columns), True)
        return Filters(layer, weights.reshape(-1, *schema.shape), schema.names, True)
    noun = "unit" if isinstance(module, nn.Linear) else "channel"
    return Filters(layer, weights, tuple(f"{noun} {number}" for number in range(weights.shape[1])), False)


def _looks_at_the_input(classifier: Classifier, layer: str) -> bool:
    """Whether what goes into a layer are the elements of the input, each on its own: it changes exactly where they do."""
    x = probe(classifier).clone()
    changed = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(0)).to(x.device) < 0.5
    x[1, changed] += 0.25
    went_in: list[Tensor] = []
    with torch.no_grad(), watching(require_network(classifier), lambda _name, given, _: went_in.extend(given[:1]), names=[layer]):
        run_network(classifier, x)
    if len(went_in) != 1 or went_in[0].shape[1:].numel() != changed.numel():
        return False
    before, after = went_in[0].flatten(1)
    return torch.equal(before != after, changed.flatten())
