"""Costs: for each row and each feature alone, the least change that turns the decision, in natural units.

Single-feature minimal changes, found by going through a feature's values; compare Ustun et al., 2019, arXiv:1809.06514.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.special import logit
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.schema import Feature, Schema
from explain.counterfactual.space import Options, Space

# Halvings between the last value that did not turn a decision and the first that did: float32 tells no more apart.
_HALVINGS = 24
# Nearer to the edge than this share of its logits, a decision may be another one in a batch of another size.
_EDGE = 1e-5


@dataclass(frozen=True)
class FeatureCosts:
    """What it takes of each feature alone to turn each decision.

    Args:
        features: The features that may change.
        change: Least change found in natural units, with its sign ``(N, F)``, float64; NaN where the feature alone turns
            nothing that was tried. Of one of two values or a category it is 1: another one.
        column: The encoded column that takes another value ``(N, F)``; -1 where there is none.
        value: That value ``(N, F)``.
        complete: Of which features every value within reach was tried ``(F,)``, bool; of the others a smaller change may
            lie between two that were tried.
        queries: Rows that went through the classifier.
    """

    features: tuple[str, ...]
    change: Tensor
    column: Tensor
    value: Tensor
    complete: Tensor
    queries: int

    @property
    def suffices(self) -> Tensor:
        """Where a change of the feature alone was found to turn the decision ``(N, F)``, bool."""
        return self.change.isfinite()

    def turned(self, x: Tensor, row: int, place: int, schema: Schema) -> Tensor:
        """A row with one feature changed as found ``(D,)``.

        Args:
            x: The row ``(D,)``.
            row: Its number among those that were looked at.
            place: The number of the feature in `features`, one that suffices.
            schema: What the row means.
        """
        turned = x.clone()
        turned[schema.groups[self.features[place]]] = 0.0
        turned[int(self.column[row, place])] = self.value[row, place].to(x)
        return turned


def feature_costs(
    classifier: Classifier, inputs: Tensor, *, threshold: float = 0.5, values: int = 128, reference: Tensor | None = None
) -> FeatureCosts:
    """Go through the values of each feature alone, the others as they are, until the decision turns.

    Whole numbers and categories are tried one by one where there are no more than `values` to a side. Of other numbers that
    many are tried, closer together near the row; between the last that leaves the decision and the first that turns it, it
    is halved. Immutable features, directions, ranges and relations hold: a change of one feature that breaks a relation with
    another counts as none.

    Args:
        classifier: What decides; it needs no gradients.
        inputs: Valid rows of a table ``(N, D)``.
        threshold: Of two classes, the probability of the event from which it is presumed.
        values: Values tried on each side of a number.
        reference: Rows that tell the range of numbers without bounds ``(B, D)``; by default `inputs`.

    Raises:
        NotApplicableError: If the inputs are no rows of a table, or nothing in them may change.
        DataError: If there are no rows, one is not valid, or the classifier's answer is not finite.
        ConfigurationError: If `values` is below 1.
    """
    if classifier.schema.modality != "tabular":
        raise NotApplicableError(
            f"this goes through the values of a table's features, and the inputs are of the modality {classifier.schema.modality!r}"
        )
    if values < 1:
        raise ConfigurationError(f"values must be at least 1, got {values}")
    if not len(inputs):
        raise DataError("there are no rows whose decisions could be turned")
    x = inputs.to(classifier.device)
    space = Space(classifier.schema, x, fixed=(), weights={}, sparsity=0.0, data=x if reference is None else reference.to(x))
    scan = _Scan(classifier, space, threshold)
    options = space.options(values)
    names = [index for index, feature in enumerate(classifier.schema.features) if feature.mutable]
    if not names:
        raise NotApplicableError("no feature of these inputs may change")
    features = [classifier.schema.features[index] for index in names]
    change = torch.full((len(x), len(names)), torch.nan, dtype=torch.float64, device=x.device)
    column = torch.full(change.shape, -1, device=x.device)
    value = torch.full(change.shape, torch.nan, device=x.device)
    complete = torch.zeros(len(names), dtype=torch.bool)
    for place, (index, feature) in enumerate(zip(names, features, strict=True)):
        mine = (options.feature == index).nonzero()[:, 0]
        complete[place] = feature.kind != "continuous" and not bool(scan.coarse(options, mine, index).any())
        for rising in (False, True):
            side = mine[options.rising[mine] == rising]
            if len(side):
                row, where, found = scan.first(options, side, index)
                moved = _natural(space, feature, index, found, row)
                closer = ~(change[row, place].abs() <= moved.abs())
                row = row[closer]
                change[row, place], column[row, place], value[row, place] = moved[closer], where[closer], found[closer]
    return FeatureCosts(tuple(f.name for f in features), change.cpu(), column.cpu(), value.cpu(), complete, scan.queries)


def _natural(space: Space, feature: Feature, index: int, value: Tensor, row: Tensor) -> Tensor:
    """How far a feature moved, in natural units."""
    if feature.kind in ("categorical", "binary"):
        return torch.ones(len(value), dtype=torch.float64, device=value.device)
    column = int(space.column[index])
    moved = (value.double() - space.x[row, column].double()) / float(space.scale[column]) * feature.span
    return moved.round() if feature.kind == "integer" else moved


class _Scan:
    """Tries changes, and counts what it asks of the classifier."""

    def __init__(self, classifier: Classifier, space: Space, threshold: float) -> None:
        self._classifier, self._space, self._threshold = classifier, space, threshold
        self.queries = 0
        self._own, _ = self._decided(space.x)

    def coarse(self, options: Options, mine: Tensor, index: int) -> Tensor:
        """Of which rows not every value of a whole number is among the options ``(N,)``."""
        step = float(self._space.step[index])
        if not step:
            return torch.zeros(len(self._space.x), dtype=torch.bool)
        column = int(self._space.column[index])
        reach = ((self._space.upper - self._space.lower)[:, column] / step).round()
        return options.usable[:, mine].sum(1) < reach

    def first(self, options: Options, side: Tensor, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """The rows that turn ``(m,)``, and of the first change that turns each the column and its value ``(m,)``."""
        good = self._tried(options, side)
        row = good.any(1).nonzero()[:, 0]
        place = good[row].byte().argmax(1)
        space = self._space
        z = space.make(space.x[row], row, options, side[place])
        where = options.column[side[place]]
        if bool(space.categorical[index]):
            return row, where, torch.ones(len(row), device=z.device)
        column = int(space.column[index])
        before = torch.where(place > 0, options.values[row, side[(place - 1).clamp_min(0)]], space.x[row, column])
        return row, where, self._halved(z, row, before, column, float(space.step[index]))[:, column]

    def _tried(self, options: Options, side: Tensor) -> Tensor:
        """Which of the options turn which rows ``(N, O)``."""
        space = self._space
        good = torch.zeros(len(space.x), len(side), dtype=torch.bool, device=space.x.device)
        pairs = options.usable[:, side].nonzero()
        for row, option in (part.T for part in torch.split(pairs, chunk_size((2 * space.x.shape[1],)))):
            good[row, option] = self._turns(space.make(space.x[row], row, options, side[option]), row)
        return good

    def _halved(self, z: Tensor, row: Tensor, before: Tensor, column: int, step: float) -> Tensor:
        """The same, moved towards the last value that did not turn the row as far as it still turns."""
        z = z.clone()
        start = self._space.x[row, column]
        for _ in range(_HALVINGS):
            middle = (z[:, column] + before) / 2
            if step:
                middle = start + ((middle - start) / step).round() * step
            open_ = ((middle - z[:, column]).abs() > step / 2) & ((middle - before).abs() > step / 2)
            open_ = (open_ & (middle != z[:, column]) & (middle != before)).nonzero()[:, 0]
            if not len(open_):
                break
            tried = z[open_].clone()
            tried[:, column] = middle[open_]
            turns = self._turns(tried, row[open_], firmly=True)
            z[open_[turns]] = tried[turns]
            before = before.clone()
            before[open_[~turns]] = middle[open_[~turns]]
        return z

    def _turns(self, z: Tensor, row: Tensor, *, firmly: bool = False) -> Tensor:
        """Which changed rows are valid and decided otherwise ``(m,)``, and not by what rounding may undo."""
        valid = self._space.modality.valid(z).nonzero()[:, 0]
        turns = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        if len(valid):
            decided, lead = self._decided(z[valid])
            turns[valid] = (decided != self._own[row[valid]]) & ((lead > _EDGE) | torch.tensor(not firmly, device=z.device))
        return turns

    def _decided(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The class of each row, and how far ahead it is of the next, as a share of the logits ``(m,)``."""
        self.queries += len(x)
        logits = self._classifier.logits(x).double()
        if not logits.isfinite().all():
            raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
        size = 1 + logits.abs().amax(1)
        if logits.shape[1] == 2:
            decided = (logits.softmax(1)[:, 1] >= self._threshold).long()
            return decided, (logits.diff(dim=1)[:, 0] - logit(self._threshold)).abs() / size
        largest = logits.topk(2, dim=1)
        return largest.indices[:, 0], -largest.values.diff(dim=1)[:, 0] / size
