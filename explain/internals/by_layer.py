"""Layer attribution: how much each unit of a layer has to do with the output (Shrikumar et al., 2018, arXiv:1807.09946)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.progress import progress_bar
from explain.attribution.deep_lift import NO_DIFFERENCE, DeepLift, apart
from explain.gradients.explained import ExplainedNetwork, captum_engines
from explain.internals.layer_pass import LayerPass
from explain.method import Task, spelled
from explain.output import Kind, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LayerMethod = Literal["integrated_gradients", "conductance", "deep_lift", "gradient_x_activation"]
# How far two outputs may be apart that are the same but for rounding, as a part of their size.
_ALIKE = 1e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerAttribution:
    """What each unit of a layer has to do with the output.

    Args:
        attributions: One number a unit ``(N, *L)``, float64, in `unit`.
        layer: Name of the layer.
        layer_type: Its type, ``"Conv2d"``.
        method: Id of the method.
        steps: Points of the path; 0 where the method has none.
        target: The class that is explained, for each input ``(N,)``.
        value: Output at the input ``(N,)``, float64.
        base_value: Output at the baseline ``(N,)``, float64.
        replaced: Output at the input where the layer gives what it gives for the baseline ``(N,)``, float64. Where it is
            `base_value`, all that the output knows of the input comes through this layer.
        output: What was explained: ``"log_odds"``, ``"logit"`` or ``"probability"`` of the target.
        classes: Names of the classes.
        classifier_digest: Digest of the classifier.
    """

    attributions: Tensor
    layer: str
    layer_type: str
    method: LayerMethod
    steps: int
    target: Tensor
    value: Tensor
    base_value: Tensor
    replaced: Tensor
    output: Kind
    classes: tuple[str, ...]
    classifier_digest: str

    @property
    def bottleneck(self) -> bool:
        """Whether nothing of the input reaches the output around the layer, as far as these rows show."""
        size = 1 + self.value.abs() + self.base_value.abs()
        return bool(((self.replaced - self.base_value).abs() <= _ALIKE * size).all())

    @property
    def due(self) -> Tensor | None:
        """What the attributions of a row should sum to ``(N,)``; nothing where that is not known.

        Integrated gradients share out what the output changes when this layer alone gives what it gives for the
        baseline. Conductance and DeepLIFT share out what of the whole change since the baseline flows through the layer:
        all of it where there is no way around, and an unknown part of it elsewhere.
        """
        if self.method == "integrated_gradients":
            return self.value - self.replaced
        if self.method == "gradient_x_activation" or not self.bottleneck:
            return None
        return self.value - self.base_value

    @property
    def completeness_error(self) -> Tensor | None:
        """How far the attributions of each row miss their sum ``(N,)``; nothing where none is due."""
        return None if self.due is None else (self.attributions.flatten(1).sum(1) - self.due).abs()

    @property
    def unit(self) -> str:
        """What the attributions are in, with its class: ``"log-odds of bad"``."""
        targets = set(self.target.tolist())
        name = self.classes[targets.pop()] if len(targets) == 1 else "each row's class"
        return f"{self.output.replace('_', '-')} of {name}"

    @property
    def label(self) -> str:
        """What an axis of attributions shows: ``"contribution to the log-odds of bad"``."""
        return f"{'gradient times activation, in' if self.method == 'gradient_x_activation' else 'contribution to'} the {self.unit}"

    def by_unit(self) -> Tensor:
        """Attributions ``(N, U)`` of what lies along the layer's first axis, such as a convolution's maps; the others are summed."""
        return self.attributions.reshape(*self.attributions.shape[:2], -1).sum(2)

    def to_frame(self) -> pd.DataFrame:
        """One line for each row and each number along the layer's first axis: row, unit, attribution."""
        values = self.by_unit()
        rows, units = values.shape
        return pd.DataFrame(
            {"row": np.repeat(np.arange(rows), units), "unit": np.tile(np.arange(units), rows), "attribution": values.flatten().numpy()}
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the units that count most: of one row their attributions, of several their mean size."""
        from explain.figures.bar import draw_bar

        values, several = self.by_unit(), len(self) > 1
        method = spelled(self.method)
        return draw_bar(
            [f"unit {index}" for index in range(values.shape[1])],
            (values.abs().mean(0) if several else values[0]).numpy(),
            label=f"mean size of the {self.label}" if several else self.label,
            title=f"Layer {self.layer!r} ({self.layer_type}), {f'{len(self)} rows' if several else 'one row'}, by {method}",
            limit=12,
            ax=ax,
        )

    def __len__(self) -> int:
        return len(self.attributions)

    def __repr__(self) -> str:
        error = self.completeness_error
        sums = "no sum is due" if error is None else f"completeness error up to {float(error.max()):.2g}"
        return f"LayerAttribution({len(self)} rows, layer {self.layer!r}, {self.method}, {self.unit}, {sums})"

    def _repr_html_(self) -> str:
        from html import escape

        sizes = self.by_unit().abs().mean(0)
        order = torch.argsort(sizes, descending=True, stable=True)[:10]
        frame = pd.DataFrame({"unit": order.numpy(), "mean size": sizes[order].numpy(), "mean": self.by_unit().mean(0)[order].numpy()})
        return f"<p>{escape(repr(self))}</p>{frame.to_html(index=False, float_format='{:.3g}'.format)}"


def layer_attribution(
    classifier: Classifier,
    inputs: Tensor,
    layer: str,
    method: LayerMethod = "integrated_gradients",
    *,
    target: Target = None,
    baseline: Tensor | None = None,
    output: str = "auto",
    steps: int = 32,
    progress: bool = True,
) -> LayerAttribution:
    """Explain the output of each input by the units of a layer.

    Args:
        classifier: One with a network.
        inputs: Encoded inputs ``(N, *S)``.
        layer: The layer's name; `explain.internals.layers.list_layers` lists them.
        method: ``"integrated_gradients"`` leads the layer alone from what it gives for the baseline to what it gives for
            the input, the rest of the network being at the input. ``"conductance"`` leads the input from the baseline, and asks
            what flows through each unit on the way (Dhamdhere et al., 2018, arXiv:1805.12233). ``"deep_lift"`` does so in one
            step, for networks that pass its gate. ``"gradient_x_activation"`` multiplies what a unit gives by the
            output's gradient with respect to it; it needs no baseline and has no sum.
        target: The class to explain; see :func:`explain.attribute`.
        baseline: What inputs are compared with, ``(*S)`` or one for each ``(N, *S)``; see :func:`explain.attribute`.
        output: What is explained; see :func:`explain.attribute`.
        steps: Points of a path.
        progress: Whether to show a bar on a terminal.

    Raises:
        ConfigurationError: If there is no such layer, method, class or output, a shape does not fit, or the layer does not
            give one tensor in one use.
        NotApplicableError: If the classifier has no network or no gradients, or DeepLIFT does not hold for it.
    """
    if method not in get_args(LayerMethod):
        raise ConfigurationError(f"there is no method {method!r} for layers", remedy=did_you_mean(method, get_args(LayerMethod)))
    if steps < 1:
        raise ConfigurationError(f"steps must be at least 1, got {steps}")
    passes = LayerPass(classifier, inputs, layer, target=target, baseline=baseline, output=output)
    if method == "deep_lift":
        _require_deep_lift(passes.task)
    task, space = passes.task, passes.space
    found, replaced = [], []
    parts = list(passes.rows())
    with progress_bar(f"layer {layer}", len(parts), shown=progress) as advance:
        for rows in parts:
            before = passes.values(space.reference[rows], rows)
            replaced.append(passes.output(space.points[rows], rows, before))
            found.append(_share(passes, rows, before, method, steps).to("cpu", torch.float64))
            advance(spelled(method))
    return LayerAttribution(
        attributions=torch.cat(found),
        layer=layer,
        layer_type=type(passes.layer).__name__,
        method=method,
        steps=steps if method in ("integrated_gradients", "conductance") else 0,
        target=task.target.cpu(),
        value=task.output(task.x, task.target).to("cpu", torch.float64),
        base_value=task.output(task.reference, task.target).to("cpu", torch.float64),
        replaced=torch.cat(replaced).to("cpu", torch.float64),
        output=task.output.kind,
        classes=classifier.classes,
        classifier_digest=classifier.digest,
    )


def _share(passes: LayerPass, rows: Tensor, before: Tensor, method: LayerMethod, steps: int) -> Tensor:
    """Attributions of some rows ``(n, *L)``, where the layer gives `before` for their baselines."""
    x, start = passes.space.points[rows], passes.space.reference[rows]
    if method == "gradient_x_activation":
        given, slope = passes.slope(x, rows)
        return given * slope
    if method == "deep_lift":
        return _multiplied(passes, rows)
    total = torch.zeros_like(before)
    if method == "integrated_gradients":
        way = passes.values(x, rows) - before
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        for node, weight in zip(nodes, weights, strict=True):
            total += passes.slope(x, rows, before + (node + 1) / 2 * way)[1] * (weight / 2)
        return total * way
    # The gradient in the middle of each step, times what the layer changes by in it: its error falls with the square of
    # the steps, and what the layer changes by sums up exactly.
    for step in range(steps):
        after = passes.values(start + (step + 1) / steps * (x - start), rows)
        total += passes.slope(start + (step + 0.5) / steps * (x - start), rows)[1] * (after - before)
        before = after
    return total


def _multiplied(passes: LayerPass, rows: Tensor) -> Tensor:
    """DeepLIFT's multiplier of each unit times what the unit changes by since the baseline."""
    network = apart(ExplainedNetwork(passes.task.output))
    engine = captum_engines().LayerDeepLift(network, network.network.get_submodule(passes.name))
    engine.eps = NO_DIFFERENCE
    task = passes.task
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
        x, reference = task.x[rows].requires_grad_(), task.reference[rows]
        given: Tensor = engine.attribute(x, reference, additional_forward_args=(task.target[rows],))
    return given.detach()


def _require_deep_lift(task: Task) -> None:
    """Refuse where DeepLIFT does not hold for the network's inputs: its multipliers on the way to them are those of the layers."""
    method = DeepLift()
    reason = method.obstacle(task.classifier, rows=len(task.x), background=1)
    if not reason and task.output.kind not in method.outputs:
        reason = f"it divides {' or '.join(sorted(method.outputs))}, not {task.output.kind}"
    reason = reason or method.propagate(task)[0].failure
    if reason:
        raise NotApplicableError(
            f"deep_lift does not apply: {reason}", remedy="integrated_gradients, conductance and gradient_x_activation do, for a layer"
        )
