"""Activation maximisation: what a unit answers most strongly (Erhan et al., 2009; Olah et al., 2017, doi:10.23915/distill.00007)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.modalities._observed import observed_column
from classifier.modality import modality_of
from classifier.progress import progress_bar
from classifier.schema import Schema
from classifier.seeds import Seed
from explain.internals.layers import first_tensor, layer_module, require_network, run_network, watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODALITIES = ("tabular", "image", "sequence")
# Random inputs that tell how much a unit varies.
_RANDOM = 64


@dataclass(frozen=True, eq=False)
class Maximised:
    """Inputs that a unit answers strongly, each from a start of its own.

    They are made up: no such case need exist. Of a categorical feature they hold a share of each category, which sum to 1.

    Args:
        inputs: The inputs, the strongest answer first ``(R, *S)``.
        activations: What the unit answers to each ``(R,)``.
        starts: What it answered to the random inputs that they began as ``(R,)``.
        scale: How much its answers to random inputs vary, their standard deviation.
        layer: The layer.
        unit: The unit.
        schema: What the inputs mean.
        seed: What the starts were drawn from.
    """

    inputs: Tensor
    activations: Tensor
    starts: Tensor
    scale: float
    layer: str
    unit: tuple[int, ...]
    schema: Schema
    seed: int

    def plot(self, *, limit: int = 4) -> Figure:
        """Draw the first `limit` of them: images as pictures, others by their columns."""
        from explain.figures.network.maximised import draw_maximised

        return draw_maximised(self, limit=limit)

    def __repr__(self) -> str:
        unit = ", ".join(map(str, self.unit))
        best, before = float(self.activations[0]), float(self.starts.mean())
        return f"Maximised(unit {unit} of {self.layer}: {best:.4g}, and {before:.4g} for random inputs)"

    def _repr_html_(self) -> str:
        from html import escape

        from explain.figures.network._html import figure_html

        return f"<p>{escape(repr(self))}</p>{figure_html(self.plot())}"


def maximise_activation(
    classifier: Classifier,
    layer: str,
    unit: int | tuple[int, ...],
    *,
    steps: int = 200,
    restarts: int = 4,
    learning_rate: float = 0.05,
    total_variation: float = 5.0,
    l2: float = 1.0,
    jitter: int = 1,
    seed: int = 0,
) -> Maximised:
    """Climb from random inputs to ones that a unit answers strongly, within the bounds of the schema.

    What is climbed is the activation, divided by its standard deviation over random inputs, less two penalties. Both
    measure inputs by their range, from 0 at the lower bound to 1 at the upper. An input stays within the bounds, and the
    shares of a feature's categories sum to 1.

    Args:
        classifier: A differentiable one of tables, images or series.
        layer: The name of a layer; :func:`list_layers` tells them.
        unit: Of a layer of units, which one. Of a layer of maps, the channel, whose mean is climbed; of one with a vector
            a step or token, the place in the vector, and the mean over the steps. A tuple names one number.
        steps: Steps of Adam.
        restarts: How many starts, all at once.
        learning_rate: Size of the first step, as a share of the range; the last ones come near 0.
        total_variation: Penalty on the mean difference between neighbouring pixels or steps.
        l2: Penalty on the mean squared distance from the input that says nothing.
        jitter: Pixels by which an image is moved about at random in every step, so that no pattern clings to a grid.
        seed: Decides the starts and the jitter.

    Raises:
        NotApplicableError: If the inputs are discrete, or the classifier has no gradients.
        ConfigurationError: If an option, the layer or the unit does not exist.
        ModelError: If the unit's gradient is 0 everywhere it looked: it is dead, or answers whatever it is given alike.
    """
    for name, value, least in (("steps", steps, 1), ("restarts", restarts, 1), ("jitter", jitter, 0)):
        if value < least:
            raise ConfigurationError(f"{name} must be at least {least}, got {value}")
    for name, share in (("learning_rate", learning_rate), ("total_variation", total_variation), ("l2", l2)):
        if not share >= 0:
            raise ConfigurationError(f"{name} must be at least 0, got {share}")
    layer_module(classifier, layer)
    schema = classifier.schema
    if schema.modality not in _MODALITIES or not classifier.differentiable:
        raise NotApplicableError(
            f"an input of this {schema.modality} classifier cannot be changed by a little",
            remedy="look at the rows that activations(classifier, x, layer) says are largest",
        )
    stream = Seed(seed, ("maximise", layer, str(unit)))
    low, span = _range(schema, classifier.device)
    index = (unit,) if isinstance(unit, int) else tuple(unit)
    climber = _Climber(classifier, layer, index)
    random = torch.rand(max(_RANDOM, restarts), *schema.shape, generator=stream.child("start").torch()).to(classifier.device)
    kept = _kept(schema).to(classifier.device)
    random = _admitted(schema, torch.where(kept, 1.0, random))
    centre = (modality_of(schema).neutral().to(low) - low) / span.clamp_min(1e-12)
    with torch.no_grad():
        answers = torch.cat([climber.activation(low + part * span) for part in torch.split(random, _RANDOM)])
    scale = float(answers.std(correction=0)) or 1.0
    u = random[:restarts].clone().requires_grad_()
    optimiser = torch.optim.Adam([u], lr=learning_rate)
    shifts = torch.randint(-jitter, jitter + 1, (steps, 2), generator=stream.child("jitter").torch()).tolist() if jitter else []
    moved = torch.zeros(restarts, dtype=torch.bool, device=classifier.device)
    with progress_bar("activation maximisation", steps) as advance, torch.enable_grad():
        for step in range(steps):
            seen = torch.roll(u, shifts[step], (-2, -1)) if shifts and schema.modality == "image" else u
            gain = climber.activation(low + seen * span) / scale
            (slope,) = torch.autograd.grad(gain.sum(), u, retain_graph=True)
            moved |= (slope != 0).flatten(1).any(1)
            penalty = total_variation * _variation(u, schema) + l2 * (u - centre).square().flatten(1).mean(1)
            (slope,) = torch.autograd.grad((penalty - gain).sum(), u)
            u.grad = _within_shares(schema, u.detach(), slope)
            # Smaller and smaller steps, so that it comes to rest.
            optimiser.param_groups[0]["lr"] = learning_rate * (1 - step / steps)
            optimiser.step()
            with torch.no_grad():
                u.copy_(_admitted(schema, torch.where(kept, 1.0, u.clamp(0, 1))))
            advance("")
    if not moved.any():
        raise ModelError(
            f"unit {index} of {layer!r} has no gradient at {restarts} random inputs: it is dead, or the same for all",
            remedy="diagnose(classifier, x, y) tells dead units; take another unit",
        )
    with torch.no_grad():
        x = low + u * span
        final = climber.activation(x)
    order = final.argsort(descending=True, stable=True)
    return Maximised(x[order].detach().cpu(), final[order].cpu(), answers[:restarts][order].cpu(), scale, layer, index, schema, seed)


class _Climber:
    """What a unit answers."""

    def __init__(self, classifier: Classifier, layer: str, unit: tuple[int, ...]) -> None:
        self.classifier, self.layer, self.unit = classifier, layer, unit
        self.module = layer_module(classifier, layer)

    def activation(self, x: Tensor) -> Tensor:
        """Its answer to each input ``(N,)``."""
        seen: list[Any] = []
        with watching(require_network(self.classifier), lambda _name, _given, output: seen.append(output), names=[self.layer]):
            run_network(self.classifier, x)
        value = first_tensor(seen[-1]) if seen else None
        if value is None or value.dim() < 2 or len(value) != len(x):
            raise NotApplicableError(f"the layer {self.layer!r} gives nothing for each input", remedy="take the layer that holds it")
        shape = tuple(value.shape[1:])
        channels_last = len(shape) == 2 and not isinstance(self.module, nn.Conv1d | nn.BatchNorm1d)
        axes = (shape[-1],) if len(self.unit) == 1 and channels_last else shape[: len(self.unit)]
        if len(self.unit) not in (1, len(shape)) or any(not 0 <= place < extent for place, extent in zip(self.unit, axes, strict=True)):
            raise ConfigurationError(
                f"the layer {self.layer!r} gives {shape} for an input, and has no unit {', '.join(map(str, self.unit))}",
                remedy=f"give a number under {axes[0]}, or one for each of {shape}",
            )
        if len(self.unit) == 1:
            return (value[..., self.unit[0]] if channels_last else value[:, self.unit[0]]).reshape(len(x), -1).mean(1)
        answers: Tensor = value.flatten(1)[:, np.ravel_multi_index(self.unit, shape)]
        return answers


def _range(schema: Schema, device: torch.device) -> tuple[Tensor, Tensor]:
    """The lower end and the extent of what is searched ``(*S)``: the bounds, or three units of change around the neutral input."""
    low, high = schema.bounds
    bounded = low.isfinite() & high.isfinite()
    neutral = modality_of(schema).neutral()
    low, high = torch.where(bounded, low, neutral - 3 * schema.scale), torch.where(bounded, high, neutral + 3 * schema.scale)
    return low.to(device), (high - low).to(device)


def _kept(schema: Schema) -> Tensor:
    """What is 1 in every input: the flag that a step was observed ``(*S)``, bool."""
    kept = torch.zeros(schema.shape, dtype=torch.bool)
    flag = observed_column(schema)
    if flag is not None:
        kept[..., flag] = True
    return kept


def _admitted(schema: Schema, u: Tensor) -> Tensor:
    """Inputs by their range, with the columns of each categorical feature brought to the nearest shares that sum to 1."""
    admitted = u.clone()
    for feature in schema.features:
        if feature.kind == "categorical" and schema.modality != "image":
            columns = schema.groups[feature.name]
            admitted[..., columns] = _nearest_shares(u[..., columns])
    return admitted


def _within_shares(schema: Schema, u: Tensor, slope: Tensor) -> Tensor:
    """A gradient of categories against each other: each less the mean of those that have a share, since the shares sum to 1."""
    within = slope.clone()
    for feature in schema.features:
        if feature.kind == "categorical" and schema.modality != "image":
            columns = schema.groups[feature.name]
            has = (u[..., columns] > 0).to(slope)
            within[..., columns] -= (slope[..., columns] * has).sum(-1, keepdim=True) / has.sum(-1, keepdim=True)
    return within


def _nearest_shares(values: Tensor) -> Tensor:
    """The nearest numbers that are at least 0 and sum to 1 over the last axis (Held et al., 1974, doi:10.1007/BF01580223)."""
    ordered = values.sort(-1, descending=True).values
    excess = (ordered.cumsum(-1) - 1) / torch.arange(1, values.shape[-1] + 1, device=values.device)
    count = (ordered > excess).sum(-1, keepdim=True)
    return (values - excess.gather(-1, count - 1)).clamp_min(0)


def _variation(u: Tensor, schema: Schema) -> Tensor:
    """Mean difference between neighbouring pixels or steps ``(R,)``; 0 for a table, whose columns are no neighbours."""
    axes = {"image": (-2, -1), "sequence": (1,)}.get(schema.modality, ())
    total = torch.zeros(len(u), device=u.device)
    for axis in axes:
        if u.shape[axis] > 1:
            total = total + u.diff(dim=axis).abs().flatten(1).mean(1)
    return total
