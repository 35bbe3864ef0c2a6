"""Neuron attribution: which parts of the inputs drive one number inside a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, did_you_mean
from classifier.modality import Modality, modality_of
from classifier.progress import progress_bar
from classifier.schema import Schema
from explain.internals.layer_pass import LayerPass, neuron_index
from explain.method import spelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NeuronMethod = Literal["integrated_gradients", "gradient"]


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuronAttribution:
    """What each element of the inputs has to do with one number that a layer gives.

    Args:
        attributions: One number an element ``(N, *S)``, float64: a share of ``value - base_value``, or the gradient for
            one encoded unit.
        inputs: What was explained ``(N, *S)``.
        layer: Name of the layer.
        neuron: Index of the number in what the layer gives for an input.
        method: Id of the method.
        steps: Points of the path; 0 where the method has none.
        value: The number at the input ``(N,)``, float64.
        base_value: The number at the baseline ``(N,)``, float64.
        schema: What the inputs mean.
        classifier_digest: Digest of the classifier.
    """

    attributions: Tensor
    inputs: Tensor
    layer: str
    neuron: tuple[int, ...]
    method: NeuronMethod
    steps: int
    value: Tensor
    base_value: Tensor
    schema: Schema
    classifier_digest: str

    @property
    def modality(self) -> Modality:
        """How the inputs are taken apart."""
        return modality_of(self.schema)

    @property
    def completeness_error(self) -> Tensor | None:
        """How far the shares of each row miss ``value - base_value`` ``(N,)``; nothing for a gradient, which has no sum."""
        if self.method == "gradient":
            return None
        return (self.attributions.flatten(1).sum(1) - (self.value - self.base_value)).abs()

    @property
    def label(self) -> str:
        """What an axis of attributions shows."""
        place = ", ".join(map(str, self.neuron))
        return f"{'slope of' if self.method == 'gradient' else 'contribution to'} neuron {place} of layer {self.layer!r}" + (
            " per encoded unit" if self.method == "gradient" else ""
        )

    def by_feature(self) -> Tensor:
        """Attributions summed to players; for a table, to its original features ``(N, P)``."""
        return self.modality.gather(self.attributions)

    def to_frame(self) -> pd.DataFrame:
        """One line for each row and each player that it has: row, feature, value in natural units, attribution."""
        rows, players = len(self), self.modality.players
        frame = pd.DataFrame(
            {
                "row": np.repeat(np.arange(rows), len(players)),
                "feature": np.tile(np.array(players, dtype=object), rows),
                "value": [words[name] for words in self.modality.words(self.inputs) for name in players],
                "attribution": self.by_feature().flatten().numpy(),
            }
        )
        return frame[self.modality.present(self.inputs).flatten().numpy()].reset_index(drop=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what drives the neuron: of one image a heat map, of one row bars, of several the mean size of each feature's attribution."""
        from classifier.modalities.image import Image
        from explain.figures._style import name_value
        from explain.figures.bar import draw_bar
        from explain.figures.heatmap import draw_heatmap

        modality, method = self.modality, spelled(self.method)
        title = f"{f'{len(self)} rows' if len(self) > 1 else 'One row'}, by {method}"
        if len(self) > 1:
            sizes = self.by_feature().abs().mean(0).numpy()
            return draw_bar(modality.players, sizes, label=f"mean size of the {self.label}", title=title, ax=ax)
        if isinstance(modality, Image):
            values = self.attributions[0].sum(0).numpy()
            label, picture = f"{self.label}, per pixel", modality.picture(self.inputs)[0]
            return draw_heatmap(picture, values, label=label, title=f"One image, by {method}", ax=ax)
        words, here = modality.words(self.inputs)[0], modality.present(self.inputs)[0]
        names = [name_value(name, words[name]) for name, there in zip(modality.players, here.tolist(), strict=True) if there]
        return draw_bar(names, self.by_feature()[0, here].numpy(), label=self.label, title=title, ax=ax)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        error = self.completeness_error
        sums = "" if error is None else f", completeness error up to {float(error.max()):.2g}"
        return f"NeuronAttribution({len(self)} rows, {self.label}, {self.method}{sums})"

    def _repr_html_(self) -> str:
        from html import escape

        sizes = self.by_feature().abs().mean(0)
        order = torch.argsort(sizes, descending=True, stable=True)[:10]
        frame = pd.DataFrame({"feature": [self.modality.players[index] for index in order.tolist()], "mean size": sizes[order].numpy()})
        return f"<p>{escape(repr(self))}</p>{frame.to_html(index=False, float_format='{:.3g}'.format)}"


def neuron_attribution(
    classifier: Classifier,
    inputs: Tensor,
    layer: str,
    neuron: int | Sequence[int],
    method: NeuronMethod = "integrated_gradients",
    *,
    baseline: Tensor | None = None,
    steps: int = 32,
    progress: bool = True,
) -> NeuronAttribution:
    """Explain one number inside a network by the parts of the inputs.

    Args:
        classifier: One with a network.
        inputs: Encoded inputs ``(N, *S)``.
        layer: The layer's name; `explain.internals.layers.list_layers` lists them.
        neuron: Index of the number in what the layer gives for an input ``(*L)``; of a convolution, (map, row, column).
        method: ``"integrated_gradients"`` (complete: shares of the change since the baseline) or ``"gradient"``.
        baseline: What inputs are compared with, ``(*S)`` or one for each ``(N, *S)``; see :func:`explain.attribute`.
        steps: Points of the Gauss-Legendre rule.
        progress: Whether to show a bar on a terminal.

    Raises:
        ConfigurationError: If there is no such layer, neuron or method, a shape does not fit, or the layer does not give
            one tensor in one use.
        NotApplicableError: If the classifier has no network or no gradients.
    """
    if method not in get_args(NeuronMethod):
        raise ConfigurationError(f"there is no method {method!r} for neurons", remedy=did_you_mean(method, get_args(NeuronMethod)))
    if steps < 1:
        raise ConfigurationError(f"steps must be at least 1, got {steps}")
    passes = LayerPass(classifier, inputs, layer, target=None, baseline=baseline, output="auto")
    index = neuron_index(passes.shape, neuron, layer)
    parts = list(passes.rows())
    found, ends = [], []
    with progress_bar(f"layer {layer}", len(parts), shown=progress) as advance:
        for rows in parts:
            points, start = passes.space.points[rows], passes.space.reference[rows]
            value, slope = passes.unit(points, rows, index)
            if method == "integrated_gradients":
                slope = _mean_slope(passes, rows, index, steps) * (points - start)
            found.append(passes.space.to_elements(slope).to("cpu", torch.float64))
            ends.append(torch.stack([value, passes.unit(start, rows, index)[0]], 1).to("cpu", torch.float64))
            advance(spelled(method))
    both = torch.cat(ends)
    return NeuronAttribution(
        attributions=torch.cat(found),
        inputs=passes.task.x.cpu(),
        layer=layer,
        neuron=index,
        method=method,
        steps=steps if method == "integrated_gradients" else 0,
        value=both[:, 0],
        base_value=both[:, 1],
        schema=classifier.schema,
        classifier_digest=classifier.digest,
    )


def _mean_slope(passes: LayerPass, rows: Tensor, index: tuple[int, ...], steps: int) -> Tensor:
    """The neuron's gradient, averaged along the straight path from the baselines to the inputs ``(n, *E)``."""
    start = passes.space.reference[rows]
    way = passes.space.points[rows] - start
    total = torch.zeros_like(way)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    for node, weight in zip(nodes, weights, strict=True):
        total += passes.unit(start + (node + 1) / 2 * way, rows, index)[1] * (weight / 2)
    return total
