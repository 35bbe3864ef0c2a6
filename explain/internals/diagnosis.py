"""Diagnosis: what was measured inside a network, and what speaks against its learning, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A share of a layer's units that are saturated from which it is a symptom: networks that learn well have some.
MANY = 0.5
# The same of units that are dead. Where rows differ little, half of all units are off for every row by mere chance.
_MANY_DEAD = 0.75
# The same of all that a layer gives, whichever units give it.
_MOST = 0.8


@dataclass(frozen=True, kw_only=True)
class LayerHealth:
    """What was measured of one layer, or of one activation function; ``None`` where it does not apply.

    Args:
        name: The layer that computes it.
        kind: Its type, or that of the activation function.
        mean: Mean of what it gives, over rows and units.
        deviation: Standard deviation of that.
        gradient: Euclidean norm of the gradient of a row's loss with respect to what it gives for that row, on average over the
            rows; 0 where none reaches it.
        weight: Euclidean norm of what it learned.
        weight_gradient: Euclidean norm of the gradient of the mean loss with respect to that.
        units: Its units: columns, or channels.
        dead: Units of a ReLU, GELU or SiLU that are 0 for every row.
        saturated: Units of a sigmoid, tanh or the like whose slope is under 4 % of the steepest for at least 95 % of what they give.
        saturation: Share of all that such a function gives where its slope is so small.
        apart: Standard deviation over the rows of what it gives, as a share of its size; of a large network the largest of all chunks.
    """

    name: str
    kind: str
    mean: float
    deviation: float
    gradient: float | None = None
    weight: float | None = None
    weight_gradient: float | None = None
    units: int | None = None
    dead: int | None = None
    saturated: int | None = None
    saturation: float | None = None
    apart: float | None = None

    @property
    def mostly_dead(self) -> bool:
        """Whether so many units are dead that it is a symptom."""
        return bool(self.units) and self.dead is not None and self.dead >= _MANY_DEAD * (self.units or 0)

    @property
    def mostly_saturated(self) -> bool:
        """Whether so many units, or so much of all that they give, is saturated that it is a symptom."""
        units = bool(self.units) and self.saturated is not None and self.saturated >= MANY * (self.units or 0)
        return units or (self.saturation or 0.0) >= _MOST

    @property
    def relative_gradient(self) -> float | None:
        """The size of the gradient of what it learned as a share of its own: times the learning rate, what a step changes."""
        return self.weight_gradient / self.weight if self.weight and self.weight_gradient is not None else None


@dataclass(frozen=True)
class Symptom:
    """Something that keeps a network from learning.

    Args:
        kind: ``"not finite"``, ``"frozen"``, ``"zero weights"``, ``"equal weights"``, ``"dead"``, ``"saturated"``,
            ``"no gradient"``, ``"vanishing"``, ``"exploding"``, ``"constant"``, ``"untrained"`` or ``"uninformed"``.
        said: What was measured, in words.
        remedy: What may help.
    """

    kind: str
    said: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.said}; {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """How a network's layers do on some rows with their labels.

    Args:
        layers: What was measured, in the order in which it is computed.
        symptoms: What speaks against its learning; none where nothing was found.
        rows: How many rows were looked at.
        loss: Mean cross-entropy, in nats.
        guess: Mean cross-entropy of one who always answers with the shares of the classes in these rows.
        entropy: Mean entropy of the answers, in nats; that of even odds is ``log K``.
        decided: Share of the rows that are decided as each class.
        classes: Names of the classes.
    """

    layers: tuple[LayerHealth, ...]
    symptoms: tuple[Symptom, ...]
    rows: int
    loss: float
    guess: float
    entropy: float
    decided: tuple[float, ...]
    classes: tuple[str, ...]

    @property
    def gradient_ratio(self) -> float | None:
        """The gradient at the first layer that learned something, divided by that at the last; ``None`` where either is not to be had."""
        gradients = [layer.gradient for layer in self.layers if layer.gradient is not None]
        if len(gradients) < 2 or not np.isfinite(gradients).all() or not gradients[-1]:
            return None
        return gradients[0] / gradients[-1]

    def to_frame(self) -> pd.DataFrame:
        """One line for each layer and activation function; see `LayerHealth`. What does not apply is ``NaN``."""
        frame = pd.DataFrame([{**vars(layer), "relative_gradient": layer.relative_gradient} for layer in self.layers])
        numbers = frame.columns.difference(["name", "kind"], sort=False)
        return frame.astype(dict.fromkeys(numbers, float))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the gradient by layer; see :func:`draw_gradient_flow`."""
        from explain.figures.training.gradient_flow import draw_gradient_flow

        return draw_gradient_flow(self, ax=ax)

    def __str__(self) -> str:
        decided = ", ".join(f"{name} {share:.0%}" for name, share in zip(self.classes, self.decided, strict=True))
        head = f"{self.rows} rows: loss {self.loss:.3g} (the shares of the classes: {self.guess:.3g}), decided as {decided}"
        return "\n".join([head, *(f"- {symptom}" for symptom in self.symptoms or ("nothing was found that keeps it from learning",))])

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>{self.to_frame().to_html(index=False, float_format='{:.3g}'.format, na_rep='')}"
