"""Counterfactuals: what was found for a batch of inputs, in numbers, as a table of differences and in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.modality import Modality, modality_of
from classifier.schema import Schema
from classifier.tensor_records import load_result, save_result
from explain.counterfactual.changes import Change, changes_of
from explain.counterfactual.decision import ANY
from explain.counterfactual.player_names import called_in
from explain.counterfactual.wording import Language, Sentence, sentence_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.counterfactual.measures import Measures

Kind = Literal["counterfactual", "semifactual"]


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """For N inputs the M changed inputs that were found, each checked by prediction.

    It is about this model, and no offer: nothing says that a changed input can be had, or that a person who gets
    there is decided so by whoever decides.

    Args:
        kind: ``"counterfactual"``: the decision is another. ``"semifactual"``: it stays, whatever was changed.
        inputs: The inputs ``(N, *S)``.
        decided: The class that is decided of each ``(N,)``.
        wanted: The class that was asked for ``(N,)``; -1 where any other than `decided` was, or for a semifactual the same.
        predictions: Probabilities of the classes at the inputs ``(N, K)``.
        evaluations: Predictions that the search took for each input ``(N,)``.
        row: The input that each changed input belongs to ``(M,)``, rising.
        values: The changed inputs ``(M, *S)``.
        succeeds: Whether it does what was asked ``(M,)``. An input for which nothing does has one that does not: the
            closest, with the highest probability of what was asked for that was met, its numbers rounded.
        changed_decided: The class that is decided of each changed input ``(M,)``.
        changed_predictions: Probabilities of the classes there ``(M, K)``.
        distance: Sum of the changes, in units of change: a number's range, or a category, is 1; of another modality the
            share of its players that was swapped ``(M,)``, float64.
        changed: Which players differ ``(M, P)``, bool.
        plausibility: Share of the real cases of its class that lie at least as far from their nearest neighbour as it
            does; NaN where there are none to compare with ``(M,)``, float64.
        donor: The row of the data whose parts it has taken ``(M,)``; -1 for none.
        options: How it was searched.
        threshold: Probability of the event from which it is decided; ``None`` for the most probable class.
        seed: What was drawn with.
        schema: What the inputs mean.
        classes: Names of the classes.
        classifier_digest: Digest of the classifier.
    """

    kind: Kind
    inputs: Tensor
    decided: Tensor
    wanted: Tensor
    predictions: Tensor
    evaluations: Tensor
    row: Tensor
    values: Tensor
    succeeds: Tensor
    changed_decided: Tensor
    changed_predictions: Tensor
    distance: Tensor
    changed: Tensor
    plausibility: Tensor
    donor: Tensor
    options: Mapping[str, Any]
    threshold: float | None
    seed: int
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str

    @property
    def modality(self) -> Modality:
        """How the inputs are taken apart."""
        return modality_of(self.schema)

    @property
    def found(self) -> Tensor:
        """Whether anything that does what was asked was found for each input ``(N,)``, bool."""
        found = torch.zeros(len(self), dtype=torch.bool)
        found[self.row[self.succeeds]] = True
        return found

    @property
    def count(self) -> Tensor:
        """How many features, or players, differ ``(M,)``."""
        return self.changed.sum(1)

    @property
    def probability_before(self) -> Tensor:
        """Probability at its input of what each changed input was to lead to ``(M,)``; see `probability_after`."""
        return self.predictions[self.row].gather(1, self._target[:, None])[:, 0]

    @property
    def probability_after(self) -> Tensor:
        """Probability of the class that was asked for, or where any other was, of the likeliest other one ``(M,)``."""
        return self.changed_predictions.gather(1, self._target[:, None])[:, 0]

    @property
    def target(self) -> tuple[str, ...]:
        """Name of the class that these probabilities are of ``(M,)``."""
        return tuple(self.classes[index] for index in self._target.tolist())

    def border(self, index: int) -> tuple[float, bool] | None:
        """From which probability of its target a changed input is decided so, and whether at this one too; ``None`` without threshold."""
        if self.threshold is None:
            return None
        event = int(self._target[index]) == 1
        return (self.threshold if event else 1 - self.threshold), event

    @property
    def _target(self) -> Tensor:
        others = self.changed_predictions.scatter(1, self.decided[self.row, None], -1.0).argmax(1)
        asked = self.wanted[self.row]
        return torch.where(asked == ANY, others, asked)

    def changes(self) -> list[list[Change]]:
        """What differs in each changed input ``(M,)``, in natural units and in the order of the features."""
        return changes_of(self)

    def to_frame(self) -> pd.DataFrame:
        """The table of differences: one line for each change, with its input, which of the input's counterfactuals it belongs to
        (from 1), feature, from, to, difference, decision, probability before and after, the threshold that this is to pass (NaN where the
        likeliest class is decided), distance, plausibility, the case whose parts it has (-1: none), and whether it succeeds."""
        number = torch.arange(len(self.row)) - torch.searchsorted(self.row.contiguous(), self.row.contiguous())
        before, after = self.probability_before.tolist(), self.probability_after.tolist()
        lines = []
        for index, changes in enumerate(self.changes()):
            known = {
                "decided": self.classes[int(self.changed_decided[index])],
                "class": self.target[index],
                "probability_before": before[index],
                "probability_after": after[index],
                "threshold": (self.border(index) or (np.nan,))[0],
                "distance": float(self.distance[index]),
                "plausibility": float(self.plausibility[index]),
                "donor": int(self.donor[index]),
                "succeeds": bool(self.succeeds[index]),
            }
            for change in changes:
                what = {"feature": change.feature, "from": change.before, "to": change.after or "left out", "difference": change.difference}
                lines.append({"row": int(self.row[index]), "number": int(number[index]) + 1, **what, **known})
        columns = ["row", "number", "feature", "from", "to", "difference", "decided", "class"]
        columns += ["probability_before", "probability_after", "threshold", "distance", "plausibility", "donor", "succeeds"]
        return pd.DataFrame(lines, columns=columns)

    def sentences(
        self, row: int = 0, *, language: Language = "en", names: Mapping[str, str] | None = None, border: bool = True
    ) -> list[str]:
        """One sentence for each changed input of an input, and that this is about the model and no offer.

        Args:
            row: The input, by its number.
            language: ``"en"`` or ``"zh-CN"``.
            names: What to call features, classes and categories; what is not named keeps its own name.
            border: Whether to say from which probability it is decided, where a threshold was given.
        """
        one = self[row]
        changes = one.changes()
        called = called_in(language, names, changes, one.schema.modality)
        return [
            sentence_for(
                Sentence(
                    kind=one.kind,
                    succeeds=bool(one.succeeds[index]),
                    before=one.classes[int(one.decided[0])],
                    after=one.classes[int(one.changed_decided[index])],
                    target=one.target[index],
                    any_other=int(one.wanted[0]) == ANY and len(one.classes) > 2,
                    implausible=bool(one.plausibility[index] < one.options["plausible"]),
                    border=one.border(index) if border else None,
                    probabilities=(float(one.probability_before[index]), float(one.probability_after[index])),
                    evaluations=int(one.evaluations[0]),
                    changes=tuple((change.feature, change.before, change.after) for change in own),
                    donor=int(one.donor[index]),
                    longer=bool(one.succeeds[index]) and any(change.longer for change in own),
                ),
                language,
                called,
            )
            for index, own in enumerate(changes)
        ]

    def as_text(self, *, language: Language = "en", names: Mapping[str, str] | None = None) -> str:
        """All sentences, one a line; see `sentences`."""
        return "\n".join(sentence for row in range(len(self)) for sentence in self.sentences(row, language=language, names=names))

    def measures(self) -> Measures:
        """Validity, proximity, sparsity, diversity and plausibility of what was found, as plain numbers."""
        from explain.counterfactual.measures import measure_set

        return measure_set(self)

    def plot(self, ax: Axes | None = None, *, language: Language = "en", names: Mapping[str, str] | None = None) -> Axes:
        """Draw the table of differences of one input.

        Raises:
            ConfigurationError: If there are several; choose one, as in ``result[0].plot()``.
        """
        from explain.figures.examples.counterfactual_table import draw_counterfactuals

        return draw_counterfactuals(self, ax=ax, language=language, names=names)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, its record as JSON in the metadata, whole or not at all."""
        save_result(path, self, _Record)

    @classmethod
    def load(cls, path: str | Path) -> Counterfactuals:
        """Read back what :meth:`save` wrote, without loss.

        Raises:
            IntegrityError: If the file is missing, damaged, or holds no counterfactuals.
        """
        return load_result(path, cls, _Record, noun="counterfactuals")

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: int | slice | Tensor | NDArray[Any] | list[int]) -> Counterfactuals:
        """Those of some of the inputs; one stays a batch of one."""
        chosen = np.atleast_1d(np.arange(len(self))[rows]).tolist()
        index = torch.tensor([place for row in chosen for place in (self.row == row).nonzero()[:, 0].tolist()], dtype=torch.int64)
        counts = torch.tensor([int((self.row == row).sum()) for row in chosen], dtype=torch.int64)
        inner = ("values", "succeeds", "changed_decided", "changed_predictions", "distance", "changed", "plausibility", "donor")
        outer = ("inputs", "decided", "wanted", "predictions", "evaluations")
        parts = {name: getattr(self, name)[index] for name in inner} | {name: getattr(self, name)[chosen] for name in outer}
        return replace(self, row=torch.arange(len(chosen)).repeat_interleave(counts), **parts)

    def __repr__(self) -> str:
        found = int(self.found.sum())
        return f"Counterfactuals({int(self.succeeds.sum())} {self.kind}s for {found} of {len(self)} inputs)"

    def _repr_html_(self) -> str:
        from explain.counterfactual._html import counterfactuals_html

        return counterfactuals_html(self)


@dataclass(frozen=True)
class _Record:
    """What saved counterfactuals say of themselves, beside their tensors."""

    kind: Kind
    options: Mapping[str, Any]
    threshold: float | None
    seed: int
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str
    version: int = 1
