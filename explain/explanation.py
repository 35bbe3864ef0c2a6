"""Explanation: attributions for a batch, with what produced them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.modality import Modality, modality_of
from classifier.options import configured
from classifier.schema import Schema
from classifier.tensor_records import load_result, save_result
from explain.method import METHODS, Quantity, spelled
from explain.output import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OPTIONAL = frozenset({"standard_error", "element_error"})
# An attribution that is rounding alone.
_NOTHING = 1e-9
_WORDS = {"log_odds": "log-odds", "logit": "logit", "probability": "probability"}


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each element of each input has to do with the output; `quantity` says what its number is.

    Args:
        attributions: One number an element ``(N, *S)``, float64, in `unit`. A method that gives
            credit to players lays it over their elements, so that `by_feature` gives it back.
        target: The class that is explained, for each input ``(N,)``.
        inputs: What was explained ``(N, *S)``.
        baseline: What it was compared with: ``(*S)``, one for each input ``(N, *S)``, or a background ``(B, *S)``.
        base_value: Output at the baseline, or its mean over the background ``(N,)``, float64.
        value: Output at the input ``(N,)``, float64.
        predictions: Probabilities of the classes at the input ``(N, K)``.
        method: Id of the method.
        options: Its options.
        output: What was explained: ``"log_odds"``, ``"logit"`` or ``"probability"`` of the target.
        exact: Whether the attributions are what the method defines, up to rounding.
        standard_error: Standard error of each player's attribution ``(N, P)``; ``None`` where nothing was sampled.
        seed: What was sampled with.
        element_error: Standard error of each element's attribution ``(N, *S)``, such as an edge's; ``None`` where there is none.
        seconds: How long it took; ``None`` where nobody measured it.
        notes: What a reader must know of this result.
        schema: What the inputs mean.
        classes: Names of the classes.
        classifier_digest: Digest of the classifier.
    """

    attributions: Tensor
    target: Tensor
    inputs: Tensor
    baseline: Tensor
    base_value: Tensor
    value: Tensor
    predictions: Tensor
    method: str
    options: Mapping[str, Any]
    output: Kind
    exact: bool
    standard_error: Tensor | None
    seed: int
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str
    element_error: Tensor | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def quantity(self) -> Quantity:
        """What an attribution is: a contribution, an effect, a slope or a weight; see `explain.method.Quantity`."""
        return METHODS[self.method].quantity

    @property
    def method_name(self) -> str:
        """How the field writes the method's name."""
        return spelled(self.method)

    @property
    def modality(self) -> Modality:
        """How the inputs are taken apart."""
        return modality_of(self.schema)

    @property
    def completeness_error(self) -> Tensor:
        """How far the attributions miss the sum that contributions have, ``value - base_value`` ``(N,)``; no other `quantity` has a sum."""
        return (self.attributions.flatten(1).sum(1) - (self.value - self.base_value)).abs()

    @property
    def unit(self) -> str:
        """What the attributions are in, with its class: ``"log-odds of bad"``."""
        return {"slope": f"{self.output_name} per encoded unit", "weight": "no unit"}.get(self.quantity, self.output_name)

    @property
    def label(self) -> str:
        """What an axis of attributions shows: ``"contribution to the log-odds of bad"``; without a class where none was asked about."""
        if METHODS[self.method].class_blind:
            return "weight (no unit), the same for every class"
        words = {"contribution": "contribution to", "effect": "effect on", "slope": "slope of", "weight": "weight (no unit) for"}
        return f"{words[self.quantity]} the {self.output_name}" + (" per encoded unit" if self.quantity == "slope" else "")

    def by_feature(self) -> Tensor:
        """Attributions summed to players; for a table, to its original features ``(N, P)``."""
        return self.modality.gather(self.attributions)

    @property
    def shown(self) -> Tensor:
        """Which players tables and pictures show ``(N, P)``, bool: those that an input has, and those that got credit nevertheless.

        What comes after the end of a text is no part of it.
        """
        return self.modality.present(self.inputs) | (self.by_feature().abs() > _NOTHING)

    @property
    def is_by_player(self) -> bool:
        """Whether the method gave credit to players as wholes, so that a player's elements differ in nothing."""
        even = self.modality.spread(self.by_feature(), self.inputs)
        return bool(torch.allclose(even, self.attributions, rtol=1e-6, atol=1e-9 * float(self.attributions.abs().max())))

    def importance(self) -> Tensor:
        """Mean size of each feature's attribution over the rows ``(P,)``."""
        return self.by_feature().abs().mean(0)

    def to_frame(self) -> pd.DataFrame:
        """One line for each row and each player that it has: row, feature, value in natural units, attribution, standard error.

        The standard error is absent (``NaN``) where nothing was sampled.
        """
        rows, players = len(self), self.modality.players
        errors = np.full((rows, len(players)), np.nan) if self.standard_error is None else self.standard_error.numpy()
        frame = pd.DataFrame(
            {
                "row": np.repeat(np.arange(rows), len(players)),
                "feature": np.tile(np.array(players, dtype=object), rows),
                "value": [words[name] for words in self.modality.words(self.inputs) for name in players],
                "attribution": self.by_feature().flatten().numpy(),
                "standard_error": errors.reshape(-1),
            }
        )
        return frame[self.shown.flatten().numpy()].reset_index(drop=True)

    def top(self, k: int = 5) -> pd.DataFrame:
        """The `k` features of each row with the largest attributions, largest first, as in :meth:`to_frame`."""
        frame = self.to_frame()
        order = np.lexsort((-frame["attribution"].abs().to_numpy(), frame["row"].to_numpy()))
        return frame.iloc[order].groupby("row", sort=False).head(k).reset_index(drop=True)

    def plot(self, kind: str = "auto", ax: Axes | None = None) -> Axes:
        """Draw the explanation; the figure is ``ax.figure``.

        Args:
            kind: ``"waterfall"`` (contributions of one row), ``"heatmap"`` (one image), ``"text"``, ``"series"``, ``"edge_mask"``
                (one graph), ``"bar"``, ``"beeswarm"``, ``"decision"`` or ``"scatter"`` (several rows), or ``"auto"``, which
                takes the one for the inputs: of one row its own picture, of several a beeswarm, or bars where a
                player means another thing in each.
            ax: Where to draw; a new figure where there is none.
        """
        from explain.figures import FIGURES

        return FIGURES[self._picture() if kind == "auto" else kind](self, ax)

    def _picture(self) -> str:
        if len(self) > 1:
            return "beeswarm" if self.modality.aligned else "bar"
        own = {"image": "heatmap", "text": "text", "sequence": "series", "graph": "edge_mask"}
        return own.get(self.schema.modality, "waterfall" if self.quantity == "contribution" else "bar")

    def to_html(self) -> str:
        """What a notebook shows, as HTML to keep: a table with bars, or a text in colours."""
        from explain.figures._html import explanation_html

        return explanation_html(self)

    def to_shap(self) -> Any:
        """The same as a ``shap.Explanation`` of players: values, base values, values of the features and their names.

        Of a table, `data` holds numbers in natural units and the words of categories; of other inputs, words.
        """
        from shap import Explanation as ShapExplanation

        if self.schema.modality == "tabular":
            data = self.schema.decode(self.inputs).to_numpy(dtype=object)
        else:
            data = np.array([list(words.values()) for words in self.modality.words(self.inputs)], dtype=object)
        return ShapExplanation(
            values=self.by_feature().numpy(), base_values=self.base_value.numpy(), data=data, feature_names=list(self.modality.players)
        )

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, its record as JSON in the metadata, whole or not at all."""
        save_result(path, self, _Record)

    @classmethod
    def load(cls, path: str | Path) -> Explanation:
        """Read back what :meth:`save` wrote, without loss.

        Raises:
            IntegrityError: If the file is missing, damaged, or not an explanation.
        """
        loaded = load_result(path, cls, _Record, noun="explanation", optional=_OPTIONAL)
        # JSON has lists where the options were tuples.
        return replace(loaded, options=asdict(configured(METHODS[loaded.method], loaded.options, name=loaded.method)))

    @property
    def output_name(self) -> str:
        """What is explained, with its class: ``"log-odds of bad"``."""
        targets = set(self.target.tolist())
        name = self.classes[targets.pop()] if len(targets) == 1 else "each row's class"
        return f"{_WORDS[self.output]} of {name}"

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: int | slice | Tensor | NDArray[Any] | list[int]) -> Explanation:
        """The explanation of some of the rows; one row stays a batch of one."""
        index = torch.from_numpy(np.atleast_1d(np.arange(len(self))[rows]))
        of_rows = {"attributions", "target", "inputs", "base_value", "value", "predictions"}
        if self.baseline.dim() == self.inputs.dim() and not METHODS[self.method].takes_background and len(self.baseline) == len(self):
            of_rows.add("baseline")
        of_rows |= {name for name in _OPTIONAL if getattr(self, name) is not None}
        return replace(self, **{name: getattr(self, name)[index] for name in of_rows})

    @property
    def precision(self) -> str:
        """How exact the attributions are, in words."""
        if self.exact:
            return "exact"
        if self.standard_error is not None:
            return f"standard error at most {float(self.standard_error.max()):.2g}"
        if self.quantity == "contribution":
            return f"completeness error at most {float(self.completeness_error.max()):.2g}"
        return "an estimate"

    def __repr__(self) -> str:
        return f"Explanation({len(self)} rows, {self.unit}, {self.method}, {self.precision})"

    def _repr_html_(self) -> str:
        return self.to_html()


@dataclass(frozen=True)
class _Record:
    """What a saved explanation says of itself, beside its tensors."""

    method: str
    options: Mapping[str, Any]
    output: Kind
    exact: bool
    seed: int
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    version: int = 1
