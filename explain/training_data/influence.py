"""Influence: how much each training row speaks for what a classifier says of each input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.errors import ConfigurationError
from classifier.modality import Modality, modality_of
from classifier.schema import Schema
from classifier.tensor_records import load_result, save_result
from explain.training_data.method import INFLUENCE_METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOR, AGAINST = "for", "against"


@dataclass(frozen=True, eq=False)
class Influence:
    """A score for each input and training row. An influence is an estimate, and about this classifier and these rows.

    Above 0 the training row speaks for the class that is asked about: with it in training, the classifier gives
    the input more of that class. Below 0 it speaks against it. What one unit is, `meaning` says.

    It holds the training rows, so whoever has it, or the file that it is saved to, has them.

    Args:
        scores: One number for each input and training row ``(N, M)``.
        target: The class that is asked about, for each input ``(N,)``.
        inputs: What was decided on ``(N, *S)``.
        predictions: Probabilities of the classes at the input ``(N, K)``.
        training: The training rows ``(M, *S)``.
        labels: Their classes ``(M,)``.
        ids: Where they came from, as in `Dataset.ids` ``(M,)``.
        method: Id of the method.
        options: Its options.
        seed: What was sampled with.
        schema: What the inputs mean.
        classes: Names of the classes.
        classifier_digest: Digest of the classifier.
        training_digest: Digest of the training rows.
        checkpoint_digests: Digests of the checkpoints that were looked at.
        seconds: How long it took.
        notes: What a reader must know of this result.
    """

    scores: Tensor
    target: Tensor
    inputs: Tensor
    predictions: Tensor
    training: Tensor
    labels: Tensor
    ids: Tensor
    method: str
    options: Mapping[str, Any]
    seed: int
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str
    training_digest: str
    checkpoint_digests: tuple[str, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def method_name(self) -> str:
        """How the field writes the method's name."""
        return INFLUENCE_METHODS[self.method].spelling or self.method.replace("_", " ")

    @property
    def modality(self) -> Modality:
        """How the inputs are taken apart."""
        return modality_of(self.schema)

    @property
    def meaning(self) -> str:
        """What a score is, with its class: ``"rise of the loss of bad without the row (nats)"``."""
        targets = set(self.target.tolist())
        name = self.classes[targets.pop()] if len(targets) == 1 else "each input's class"
        return INFLUENCE_METHODS[self.method].meaning.format(target=name)

    def strength(self) -> Tensor:
        """Mean size of each training row's scores over the inputs ``(M,)``."""
        return self.scores.abs().mean(0)

    def to_frame(self) -> pd.DataFrame:
        """One line for each input and training row: input, id and label of the row, score."""
        count, rows = self.scores.shape
        return pd.DataFrame(
            {
                "input": np.repeat(np.arange(count), rows),
                "id": np.tile(self.ids.numpy(), count),
                "label": np.tile(self._names(self.labels), count),
                "score": self.scores.flatten().numpy(),
            }
        )

    def top(self, k: int = 5) -> pd.DataFrame:
        """The `k` rows that speak most for the target of each input, and the `k` that speak most against it.

        Returns:
            One line each: input, side (``"for"`` or ``"against"``), id and label of the row, score, and the row in natural units.
            Where fewer rows are on a side there are fewer lines.
        """
        lines = []
        for index in range(len(self)):
            for side in (FOR, AGAINST):
                rows = self.places(index, side, k)
                told = {"input": index, "side": side, "id": self.ids[rows].numpy(), "label": self._names(self.labels[rows])}
                beside = pd.DataFrame({**told, "score": self.scores[index, rows].numpy()})
                lines.append(pd.concat([beside, self.schema.decode(self.training[rows])], axis=1))
        return pd.concat(lines, ignore_index=True)

    def places(self, index: int, side: str, k: int) -> Tensor:
        """Where among the training rows those stand that speak most for or against the target of one input, the strongest first."""
        if k < 1:
            raise ConfigurationError(f"k must be at least 1, got {k}")
        scores = self.scores[index] if side == FOR else -self.scores[index]
        order = torch.argsort(scores, descending=True, stable=True)[:k]
        return order[scores[order] > 0]

    def plot(self, kind: str = "auto", ax: Axes | None = None) -> Axes:
        """Draw the rows that speak most for and against the target of one input, beside it; the figure is ``ax.figure``.

        Args:
            kind: ``"influential_examples"`` (one input), ``"influential_rows"`` (the strongest rows over all inputs), or
                ``"auto"``: the first for one input, the second for more.
            ax: Where to draw; a new figure where there is none.
        """
        from explain.figures.examples.influential_examples import plot_examples
        from explain.figures.examples.influential_rows import plot_rows

        kinds = {"influential_examples": plot_examples, "influential_rows": plot_rows}
        if kind == "auto":
            kind = "influential_examples" if len(self) == 1 else "influential_rows"
        if kind not in kinds:
            raise ConfigurationError(f"there is no figure {kind!r} of an influence", remedy=f"there are: {', '.join(kinds)}")
        return kinds[kind](self, ax)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, its record as JSON in the metadata, whole or not at all. It holds the training rows."""
        save_result(path, self, _Record)

    @classmethod
    def load(cls, path: str | Path) -> Influence:
        """Read back what :meth:`save` wrote, without loss.

        Raises:
            IntegrityError: If the file is missing, damaged, or not an influence.
        """
        return load_result(path, cls, _Record, noun="influence")

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: int | slice | Tensor | NDArray[Any] | list[int]) -> Influence:
        """The influence on some of the inputs; one input stays a batch of one."""
        index = torch.from_numpy(np.atleast_1d(np.arange(len(self))[rows]))
        return replace(self, **{name: getattr(self, name)[index] for name in ("scores", "target", "inputs", "predictions")})

    def __repr__(self) -> str:
        return f"Influence({len(self)} inputs, {len(self.ids)} training rows, {self.meaning}, {self.method}, an estimate)"

    def _repr_html_(self) -> str:
        from explain.figures.examples._html import influence_html

        return influence_html(self)

    def _names(self, labels: Tensor) -> NDArray[np.object_]:
        return np.array(self.classes, dtype=object)[labels.numpy()]


@dataclass(frozen=True)
class _Record:
    """What a saved influence says of itself, beside its tensors."""

    method: str
    options: Mapping[str, Any]
    seed: int
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str
    training_digest: str
    checkpoint_digests: tuple[str, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    version: int = 1
