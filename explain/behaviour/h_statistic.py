"""H-statistic: how much of what features do they do only together (Friedman and Popescu, 2008, arXiv:0811.1679, eq. 44 and 45)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.modality import modality_of
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.behaviour.answers import Answers, pieces
from explain.behaviour.cases import associations, draw_cases, resample_weights
from explain.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
#: What stands for the partner where a feature is compared with all others together.
ALL_OTHERS = "all others"
# Features at most where nobody names them: the pairs grow with their square.
_MOST = 40
# A joint effect that is under this share of the output's spread is not worth dividing by.
_SMALL = 0.05


@dataclass(frozen=True, eq=False)
class InteractionStrength(Saved):
    """How much each pair of features does only together, and each feature with all others.

    Args:
        parts: The pairs by their names, and then each feature with `ALL_OTHERS` ``(E,)``.
        size: What they do only together, as a root of mean squares in `unit` ``(E, T)``.
        share: H, that by what they do jointly ``(E, T)``: 0 is nothing, and of independent features 1 is all. It is above 1 where
            each alone seems to do more than both jointly, as of correlated features that cancel out in the rows that there are.
        size_interval: Low and high ends of the sizes ``(2, E, T)``.
        share_interval: Low and high ends of the shares ``(2, E, T)``.
        small: Whether they do so little jointly that the share is one of noise ``(E, T)``.
        spread: The output's own root of mean squares about its mean ``(T,)``.
        classes: The classes that are looked at.
        unit: What the sizes are, with the class.
        rows: How many rows it was measured on.
        confidence: Coverage of the intervals.
        seed: What was sampled with.
        notes: What a reader must know.
        classifier_digest: Digest of the classifier.
    """

    parts: tuple[tuple[str, str], ...]
    size: Array
    share: Array
    size_interval: Array
    share_interval: Array
    small: NDArray[np.bool_]
    spread: Array
    classes: tuple[str, ...]
    unit: str
    rows: int
    confidence: float
    seed: int
    notes: tuple[str, ...]
    classifier_digest: str

    def to_frame(self) -> pd.DataFrame:
        """One line for each part and class, the largest sizes first.

        The columns are feature, with, (class), size, size_low, size_high, share, share_low, share_high, and small.
        """
        titles = [(*part, name) for part in self.parts for name in self.classes]
        frame = pd.DataFrame(titles, columns=["feature", "with", "(class)"])
        for name, value, (low, high) in (("size", self.size, self.size_interval), ("share", self.share, self.share_interval)):
            frame[name], frame[f"{name}_low"], frame[f"{name}_high"] = value.reshape(-1), low.reshape(-1), high.reshape(-1)
        frame["small"] = self.small.reshape(-1)
        return frame.sort_values("size", ascending=False, kind="stable").reset_index(drop=True)

    def plot(self, ax: Axes | None = None, *, target: str | None = None, total: bool = False, limit: int = 12) -> Axes:
        """Draw the `limit` strongest pairs of a class, or features with all others, as bars with their intervals."""
        from explain.figures.behaviour.interaction_strength import draw_interaction_strength

        return draw_interaction_strength(self, target=target, total=total, limit=limit, ax=ax)

    def __repr__(self) -> str:
        return f"InteractionStrength({len(self.parts)} parts, {self.unit}, {self.rows} rows)"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        frame = self.to_frame()[["feature", "with", "(class)", "size", "share"]]
        return table_html(f"What features do only together: size in {self.unit}, over {self.rows} rows", frame, self.notes)


def interaction_strength(
    classifier: Classifier,
    dataset: Dataset,
    features: Sequence[str] | None = None,
    *,
    target: int | str | None = None,
    output: str = "auto",
    rows: int = 100,
    resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> InteractionStrength:
    """Measure how much the features do only together, by pairs and each with all others.

    It takes rows^2 x (pairs + 2 x features) evaluations. The intervals are of a bootstrap over rows, which serve as places and as
    background alike: they cover which rows there happen to be. H cannot be below 0, so chance makes it too large rather than too small.
    Where features are correlated, partial dependence asks about rows unlike any in the data, and H may be above 1; notes say so.

    Args:
        classifier: What is looked at.
        dataset: The rows; their labels are not used.
        features: At least two features; all by default, of at most 40.
        target: A class, as index or name; by default the event of two, or each of more.
        output: ``"log_odds"`` (two classes), ``"logit"`` or ``"probability"``; ``"auto"`` as in :func:`explain.attribute`.
        rows: How many rows are used at most, drawn by the seed.
        resamples: How many resamples the intervals are of.
        confidence: Their coverage.
        seed: Decides what is sampled.
        progress: Whether to show a bar on a terminal.

    Raises:
        ConfigurationError: If a feature, a class or an output does not exist, or there are too many features to take all.
        DataError: If the rows are not finite.
        NotApplicableError: If a player means another thing in each input, as the third word of a text does.
    """
    names, members = _chosen(classifier, features)
    modality = modality_of(classifier.schema)
    stream = Seed(seed, ("interaction_strength",))
    cases = draw_cases(classifier, dataset, rows, stream)
    x, answers, count = cases.inputs.to(classifier.device), Answers.of(classifier, output, target), len(cases)
    weights = np.concatenate([np.ones((1, count)), resample_weights(count, resamples, stream)]) / count

    def dependence_on(coalition: Tensor) -> Array:
        """The centred partial dependence at each row, for weighted rows ``(B, N, T)``."""
        parts = [answers(modality.mask(x[some, None], coalition, x).flatten(0, 1)) for some in pieces(count, x.expand(count, *x.shape))]
        return _centred(np.tensordot(weights, torch.cat(parts).numpy().reshape(count, count, -1), (1, 1)), weights)

    whole = _centred(np.broadcast_to(answers(x).numpy(), (len(weights), count, len(answers.targets))), weights)
    single = [dependence_on(member) for member in members]
    parts, beyond, joint = [], [], []
    pairs = list(combinations(range(len(names)), 2))
    with progress_bar("interactions", len(pairs) + len(names), shown=progress) as advance:
        for first, second in pairs:
            both = dependence_on(members[first] | members[second])
            parts.append((names[first], names[second]))
            joint.append(_mean_square(both, weights))
            beyond.append(_mean_square(both - single[first] - single[second], weights))
            advance(f"{names[first]} and {names[second]}")
        for place, name in enumerate(names):
            parts.append((name, ALL_OTHERS))
            joint.append(_mean_square(whole, weights))
            beyond.append(_mean_square(whole - single[place] - dependence_on(~members[place]), weights))
            advance(name)
    square, base = np.stack(beyond, 1), np.stack(joint, 1)
    size, share = np.sqrt(square), np.sqrt(np.divide(square, base, out=np.zeros_like(square), where=base > 0))
    ends, spread = [(1 - confidence) / 2, (1 + confidence) / 2], np.sqrt(_mean_square(whole, weights)[0])
    small = np.sqrt(base[0]) < _SMALL * spread
    notes = [f"{count} of {len(dataset)} rows, drawn by the seed"] if count < len(dataset) else []
    notes += _warnings(cases, names, share[0], small)
    return InteractionStrength(
        parts=tuple(parts), size=size[0], share=share[0], size_interval=np.quantile(size[1:], ends, axis=0),
        share_interval=np.quantile(share[1:], ends, axis=0), small=small, spread=spread, classes=answers.classes, unit=answers.unit,
        rows=count, confidence=confidence, seed=seed, notes=tuple(notes), classifier_digest=classifier.digest,
    )  # fmt: skip


def _warnings(cases: Dataset, names: tuple[str, ...], share: Array, small: NDArray[np.bool_]) -> list[str]:
    """What makes shares say little."""
    notes = []
    strong = [pair for pair in associations(cases) if {pair.first, pair.second} & set(names)] if cases.schema.modality == "tabular" else []
    if strong:
        pairs = ", ".join(map(str, strong[:3]))
        notes.append(f"strongly correlated: {pairs}; the classifier is asked about rows unlike any in the data, and shares are unreliable")
    if (share > 1).any():
        notes.append(
            f"{int((share > 1).sum())} of {share.size} shares are above 1: each alone does more than both jointly; read their sizes"
        )
    if small.any():
        notes.append(
            f"{int(small.sum())} of {small.size} shares are of a joint effect under {_SMALL:.0%} of the output's spread; read their sizes"
        )
    return notes


def _centred(values: Array, weights: Array) -> Array:
    """Values ``(B, N, T)`` less their mean over weighted rows."""
    return values - np.einsum("bn,bnt->bt", weights, values)[:, None]


def _mean_square(values: Array, weights: Array) -> Array:
    """The mean square of values ``(B, N, T)`` over weighted rows ``(B, T)``."""
    return np.einsum("bn,bnt->bt", weights, values**2)


def _chosen(classifier: Classifier, features: Sequence[str] | None) -> tuple[tuple[str, ...], Tensor]:
    """The names of the features, and which player each is ``(F, P)``, bool."""
    modality = modality_of(classifier.schema)
    if not modality.aligned:
        raise NotApplicableError(
            f"the parts of a {classifier.schema.modality} mean another thing in each, so no two of them interact in all",
            remedy="explain.attribute tells the parts of the inputs at hand",
        )
    players = modality.players
    if features is None and len(players) > _MOST:
        raise ConfigurationError(
            f"there are {len(players)} features, and all pairs are taken of at most {_MOST}", remedy="name some, such as the most important"
        )
    names = tuple(players if features is None else features)
    if isinstance(features, str) or len(set(names)) < 2 or len(set(names)) < len(names):
        raise ConfigurationError(f"features must be at least two different names, got {features!r}")
    for name in names:
        if name not in players:
            raise ConfigurationError(f"there is no feature {name!r}", remedy=did_you_mean(name, players))
    return names, torch.tensor([[name == player for player in players] for name in names]).to(classifier.device)
