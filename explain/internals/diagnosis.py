"""Diagnosis: what was measured inside a network, and what speaks against its learning, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A share of a layer's units that are dead or saturated from which it is a symptom: networks that learn well have some.
MANY = 0.5


@dataclass(frozen=True, kw_only=True)
class LayerHealth:
    """What was measured of one layer, or of one activation function; ``None`` where it does not apply.

    Args:
        name: The layer that computes it.
        kind: Its type, or that of the activation function.
        mean: Mean of what it gives, over rows and units.
        deviation: Standard deviation of that.
        gradient: Euclidean norm of the gradient of a row's loss with respect to what it gives for that row, on average over the rows.
        weight: Euclidean norm of what it learned.
        weight_gradient: Euclidean norm of the gradient of the mean loss with respect to that.
        units: Its units: columns, or channels.
        dead: Units of a ReLU that are 0 for every row.
        saturated: Units of a sigmoid or tanh whose slope is under 4 % of the steepest for at least 95 % of what they give.
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

    @property
    def relative_gradient(self) -> float | None:
        """The size of the gradient of what it learned as a share of its own: times the learning rate, what a step changes."""
        return self.weight_gradient / self.weight if self.weight and self.weight_gradient is not None else None


@dataclass(frozen=True)
class Symptom:
    """Something that keeps a network from learning.

    Args:
        kind: ``"not finite"``, ``"dead"``, ``"saturated"``, ``"vanishing"``, ``"exploding"``, ``"constant"`` or ``"uninformed"``.
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
