"""Permutation importance: how much worse the decisions get when a feature says nothing (Breiman, 2001; Fisher et al., 2019).

The loss is that of all pairs of rows, one of which lends the other its feature (Fisher et al., arXiv:1801.01489, eq. 3), or of
a sample of such pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.behaviour.answers import pieces
from explain.behaviour.cases import associations, draw_cases, resample_weights
from explain.behaviour.scores import Measure, PairLosses, per_row, score_metric
from explain.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS: dict[Measure, str] = {
    "accuracy": "accuracy lost",
    "log_loss": "log-loss gained (nats)",
    "auc": "area under the ROC curve lost",
}
_RESAMPLES = 1000
# Weights of rows that are in memory at once.
_ELEMENTS = 2**21
_PAIRS = 4


@dataclass(frozen=True, eq=False)
class Importance(Saved):
    """What the classifier's decisions lose without each feature.

    Args:
        metrics: One metric a feature or group, in the order of the schema; its value is the loss, positive where the feature helps.
        performance: The classifier's own value of the measure on these rows.
        measure: ``"accuracy"``, ``"log_loss"`` or ``"auc"``.
        repeats: How many other rows lent each row their feature.
        exact: Whether those were all other rows.
        seed: What was sampled with.
        notes: What a reader must know.
        classifier_digest: Digest of the classifier.
    """

    metrics: tuple[Metric, ...]
    performance: Metric
    measure: Measure
    repeats: int
    exact: bool
    seed: int
    notes: tuple[str, ...]
    classifier_digest: str

    @property
    def unit(self) -> str:
        """What the numbers are: ``"accuracy lost"``."""
        return WORDS[self.measure]

    def to_frame(self) -> pd.DataFrame:
        """One line a feature, the most important first: feature, value, low, high, n, confidence, interval."""
        lines = [(m.where["feature"], m.value, m.low, m.high, m.n, m.confidence, m.interval) for m in self.metrics]
        frame = pd.DataFrame(lines, columns=["feature", "value", "low", "high", "n", "confidence", "interval"])
        return frame.sort_values("value", ascending=False, kind="stable").reset_index(drop=True)

    def plot(self, ax: Axes | None = None, *, limit: int = 15) -> Axes:
        """Draw the `limit` most important features as bars with their intervals."""
        from explain.figures.behaviour.importance import draw_importance

        return draw_importance(self, limit=limit, ax=ax)

    def __repr__(self) -> str:
        return f"Importance({len(self.metrics)} features, {self.unit}, of {self.performance.value:.3g} on {self.performance.n} rows)"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        kind = "all other rows" if self.exact else f"{self.repeats} other rows"
        caption = f"{self.unit.capitalize()} when a feature comes from another row; {kind} for each of {self.performance.n}"
        return table_html(caption, self.to_frame()[["feature", "value", "low", "high"]], self.notes)


def importance(
    classifier: Classifier,
    dataset: Dataset,
    *,
    metric: Measure = "accuracy",
    repeats: int = 10,
    groups: Mapping[str, Sequence[str]] | None = None,
    rows: int = 10_000,
    seed: int = 0,
    progress: bool = True,
) -> Importance:
    """Measure how much worse the classifier decides where a feature is that of another row.

    Each row takes the feature from `repeats` other rows, the same ones for every feature. The intervals are of a bootstrap over
    rows, each counted both as the case and as the lender, with one more row that loses or gains as much as a row may: they cover
    which rows were tested and which lent, and not the training of the classifier.

    Args:
        classifier: What is looked at.
        dataset: Rows with their labels, best ones that the classifier was not trained on.
        metric: What is lost: ``"accuracy"``, ``"log_loss"``, or ``"auc"`` of two classes.
        repeats: How many other rows lend their feature to each; from N - 1 on it is all of them, and nothing is sampled.
        groups: Features that are taken from the other row together, under a name of their own.
        rows: How many rows are used at most, drawn by the seed.
        seed: Decides who lends to whom.
        progress: Whether to show a bar on a terminal.

    Raises:
        ConfigurationError: If an option or a feature does not exist, or the data are not the classifier's.
        DataError: If the rows are not finite.
        NotApplicableError: If a player means another thing in each input, as the third word of a text does.
    """
    _require(classifier, dataset, metric, repeats)
    stream = Seed(seed, ("importance",))
    cases = draw_cases(classifier, dataset, rows, stream)
    x, labels, count = cases.inputs.to(classifier.device), cases.labels.numpy(), len(cases)
    modality = modality_of(classifier.schema)
    names, taken = _parts(classifier, groups or {})
    shifts = np.sort(stream.child("shifts").numpy().permutation(count - 1)[:repeats]) + 1
    order = stream.child("order").numpy().permutation(count)
    lender = np.empty((len(shifts), count), dtype=np.int64)
    for line, shift in enumerate(shifts):
        lender[line, order] = np.roll(order, -shift)
    own = per_row(classifier.logits(x).cpu(), labels, metric)
    cells = (torch.arange(count).repeat(len(shifts)).to(x.device), torch.from_numpy(lender).flatten().to(x.device))
    lent = np.empty((len(names), *lender.shape))
    with progress_bar("permuting", len(names), shown=progress) as advance:
        for place, (name, part) in enumerate(zip(names, taken, strict=True)):
            mixed = (modality.mask(x[cells[0][piece]], ~part, x[cells[1][piece]]) for piece in pieces(lender.size, x))
            logits = torch.cat([classifier.logits(inputs).cpu() for inputs in mixed])
            lent[place] = per_row(logits, np.tile(labels, len(shifts)), metric).reshape(lender.shape)
            advance(name)
    measured = _with_intervals(PairLosses(own, lent, lender, metric, labels), count, stream)
    performance = score_metric(own, labels, metric, stream)
    notes = (
        *_notes(classifier, cases, groups or {}),
        *([f"{count} of {len(dataset)} rows, drawn by the seed"] if count < len(dataset) else []),
    )
    metrics = tuple(one.measured_on(feature=name, metric=metric, repeats=len(shifts)) for name, one in zip(names, measured, strict=True))
    return Importance(metrics, performance, metric, len(shifts), len(shifts) == count - 1, seed, notes, classifier.digest)


def _with_intervals(losses: PairLosses, count: int, seed: Seed) -> list[Metric]:
    """Each part's loss, with the percentile interval of a bootstrap over the rows and one that is not among them.

    Rows that matter are missed where they are few. The one more row stands for them, as far down for the low end and as far up for the
    high one as `PairLosses.reach` has it; where no row moves, the ends are near those of Clopper and Pearson for none of n.
    """
    name = "explanation.permutation_importance"
    values = losses(np.ones((1, count)))[0]
    drawn, size = resample_weights(count + 1, _RESAMPLES, seed), max(1, _ELEMENTS // count)
    weights, unseen = drawn[:, 1:], drawn[:, :1] / (count + 1)
    replicates = np.concatenate([losses(weights[start : start + size]) for start in range(0, _RESAMPLES, size)])
    whole = np.isfinite(replicates).all(1)
    if not np.isfinite(values).all() or whole.sum() < _RESAMPLES / 2:
        return [Metric.missing(name, "there are too few rows of one of the classes", n=count) for _ in values]
    seen, moved = ((1 - unseen) * replicates)[whole], (unseen * losses.reach())[whole]
    ends = np.quantile(seen - moved, 0.025, axis=0), np.quantile(seen + moved, 0.975, axis=0)
    return [
        Metric(name, float(value), float(low), float(high), count, interval="bootstrap")
        for value, low, high in zip(values, *ends, strict=True)
    ]


def _parts(classifier: Classifier, groups: Mapping[str, Sequence[str]]) -> tuple[list[str], Tensor]:
    """Names of what is taken from another row, and the players of each ``(G, P)``, bool."""
    players = modality_of(classifier.schema).players
    grouped: dict[str, str] = {}
    for group, members in groups.items():
        if isinstance(members, str) or not members:
            raise ConfigurationError(f"the group {group!r} must be a list of features, got {members!r}")
        for member in members:
            if member not in players:
                raise ConfigurationError(
                    f"there is no feature {member!r}, as the group {group!r} has", remedy=did_you_mean(member, players)
                )
            if member in grouped:
                raise ConfigurationError(f"{member!r} is in the groups {grouped[member]!r} and {group!r}", remedy="a feature has one group")
            grouped[member] = group
    clash = [group for group in groups if group in players and grouped.get(group) != group]
    if clash:
        raise ConfigurationError(f"the group {clash[0]!r} has the name of a feature", remedy="call it otherwise")
    part = [grouped.get(player, player) for player in players]
    names = list(dict.fromkeys(part))
    return names, torch.tensor([[name == own for own in part] for name in names]).to(classifier.device)


def _notes(classifier: Classifier, cases: Dataset, groups: Mapping[str, Sequence[str]]) -> list[str]:
    if classifier.schema.modality != "tabular":
        return ["neighbouring parts of an input go together, and a part from another input makes one unlike any in the data"]
    together = [set(members) for members in groups.values()]
    pairs = [pair for pair in associations(cases) if not any({pair.first, pair.second} <= members for members in together)]
    if not pairs:
        return []
    more = f" and {len(pairs) - _PAIRS} more pairs" if len(pairs) > _PAIRS else ""
    return [
        f"strongly correlated: {', '.join(map(str, pairs[:_PAIRS]))}{more}; each can stand in for the other, which hides the importance "
        "of both, and rows with one of them from elsewhere are unlike any in the data; take them together with groups="
    ]


def _require(classifier: Classifier, dataset: Dataset, metric: str, repeats: int) -> None:
    if not modality_of(classifier.schema).aligned:
        raise NotApplicableError(
            f"the parts of a {classifier.schema.modality} mean another thing in each, so none has an importance over all",
            remedy="attribute(classifier, inputs).plot('bar') tells the parts of the inputs at hand",
        )
    if dataset.classes != classifier.classes:
        raise ConfigurationError(f"the data have the classes {', '.join(dataset.classes)}, the classifier {', '.join(classifier.classes)}")
    if metric not in get_args(Measure):
        raise ConfigurationError(f"there is no measure {metric!r}", remedy=did_you_mean(metric, get_args(Measure)))
    if metric == "auc" and len(classifier.classes) > 2:
        raise ConfigurationError(
            f"auc is of two classes, and the classifier has {len(classifier.classes)}", remedy='take metric="log_loss"'
        )
    if repeats < 1:
        raise ConfigurationError(f"repeats must be at least 1, got {repeats}")
