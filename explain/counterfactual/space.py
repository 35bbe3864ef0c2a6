"""Space: what each row of a table may become, feature by feature, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.errors import ConfigurationError, DataError
from classifier.modality import modality_of
from classifier.perturbation import PerturbationSet
from classifier.schema import Schema
from explain.counterfactual.relations import Relations

# How far a number without bounds is searched where no data tell of its range, in units of change.
FAR = 4.0
# Steps along a number grow from small to large, as this power of their place.
_CURVE = 1.5


@dataclass(frozen=True)
class Options:
    """Changes of one feature that a row may make, on a grid.

    Args:
        feature: The feature that changes ``(O,)``.
        column: Its encoded column that takes the value ``(O,)``; the others of its group become 0.
        values: The value, for each row ``(N, O)``.
        usable: Whether the row may make it, and it is one ``(N, O)``.
        rising: Whether it leads upwards, along a number ``(O,)``.
    """

    feature: Tensor
    column: Tensor
    values: Tensor
    usable: Tensor
    rising: Tensor


class Space:
    """Rows of a table, and the valid rows that they may become.

    Args:
        schema: What the rows mean; immutable features stay, and directional ones move their way only.
        x: Encoded rows ``(N, D)``.
        fixed: Features that stay, beside those.
        weights: What a change of a feature costs, beside others; 1 where nothing is said.
        sparsity: What each changed feature costs, in units of change.
        data: Rows that tell the range of numbers without bounds ``(B, D)``.

    Raises:
        ConfigurationError: If a feature does not exist, or a cost is negative.
        DataError: If a row is not valid, so that nothing near it would be.
    """

    def __init__(
        self, schema: Schema, x: Tensor, *, fixed: Sequence[str], weights: Mapping[str, float], sparsity: float, data: Tensor | None
    ) -> None:
        self.schema, self.x, self.sparsity = schema, x, sparsity
        self.modality = modality_of(schema)
        _require_valid(self.modality.valid(x))
        device = x.device
        self.of = self.modality.membership.to(device)
        features = torch.arange(len(schema.features), device=device)
        #: Which columns each feature has ``(P, D)``.
        self.members = self.of[None] == features[:, None]
        self.column = self.members.long().argmax(1)
        self.categorical = torch.tensor([feature.kind == "categorical" for feature in schema.features], device=device)
        self.scale = schema.scale.to(x)
        self.step = torch.tensor([_step(schema, index) for index in range(len(features))], device=device)
        #: How much of a unit of change one unit of a column is: of a category that another replaces, each column makes half.
        self.unit = torch.where(self.categorical[self.of], 0.5, 1.0) / self.scale
        self.weight = torch.tensor([_weight(schema, name, weights) for name in schema.names], device=device)
        stays = self._staying(fixed)
        self.lower, self.upper = self._box(stays, data)
        self.free = (self.lower < self.upper).float() @ self.members.float().T > 0
        self.relations = Relations(schema, self.step, ~stays) if schema.relations else None

    def changed(self, z: Tensor, row: Tensor) -> Tensor:
        """Which features differ from the row's ``(M, P)``."""
        return (z != self.x[row]).float() @ self.members.float().T > 0

    def distance(self, z: Tensor, row: Tensor) -> Tensor:
        """How far each feature has moved, in units of change ``(M, P)``: of a category, 1."""
        return ((z - self.x[row]).abs() * self.unit) @ self.members.float().T

    def cost(self, z: Tensor, row: Tensor) -> Tensor:
        """What the change costs ``(M,)``: the weighted distances of its features in sum, and `sparsity` for each."""
        distance = self.distance(z, row)
        # Rounded for the same reason as margins are, and summed in double precision: how a batch is summed must not decide.
        return ((distance * self.weight).double().sum(1) + self.sparsity * (distance > 0).sum(1)).round(decimals=6).float()

    def reset(self, z: Tensor, row: Tensor, features: Tensor) -> Tensor:
        """The same with some features as they were; which, is ``(M, P)`` or one index each ``(M,)``."""
        columns = self.members[features] if features.dim() == 1 else features[:, self.of]
        return torch.where(columns, self.x[row], z)

    def make(self, z: Tensor, row: Tensor, options: Options, option: Tensor) -> Tensor:
        """Each of `z` ``(M, D)`` with one option ``(M,)`` made."""
        made = z.masked_fill(self.members[options.feature[option]], 0.0)
        return made.scatter_(1, options.column[option][:, None], options.values[row, option][:, None])

    def project(self, z: Tensor, row: Tensor) -> Tensor:
        """The same with what may not change as it was, and what may within its range."""
        inside = torch.minimum(torch.maximum(z, self.lower[row]), self.upper[row])
        return torch.where(self.free[row][:, self.of], inside, self.x[row])

    def options(self, size: int) -> Options:
        """Changes of single features: every other category, and up to `size` values on each side of a number."""
        feature: list[int] = []
        column: list[int] = []
        rising: list[bool] = []
        values: list[Tensor] = []
        for index, categorical in enumerate(self.categorical.tolist()):
            first = int(self.column[index])
            if categorical:
                width = int(self.members[index].sum())
                feature += [index] * width
                column += range(first, first + width)
                rising += [True] * width
                values.append(torch.ones(len(self.x), width, device=self.x.device))
                continue
            for upwards in (False, True):
                line = self._line(index, upwards, size)
                feature += [index] * line.shape[1]
                column += [first] * line.shape[1]
                rising += [upwards] * line.shape[1]
                values.append(line)
        device = self.x.device
        of, place, value = torch.tensor(feature, device=device), torch.tensor(column, device=device), torch.cat(values, 1)
        usable = self.free[:, of] & (self.x[:, place] != value)
        # Of whole numbers the steps may coincide.
        usable[:, 1:] &= (value[:, 1:] != value[:, :-1]) | (place[1:] != place[:-1])
        return Options(of, place, value, usable, torch.tensor(rising, device=device))

    def _line(self, index: int, upwards: bool, size: int) -> Tensor:
        """Values of a number from next to the row's to the end of its range ``(N, size)``."""
        column, step = int(self.column[index]), float(self.step[index])
        start, end = self.x[:, column, None], (self.upper if upwards else self.lower)[:, column, None]
        if step:
            # As the bounds say and not these rows, so that a row alone is searched as among others.
            size = max(1, min(size, round(float(self.scale[column]) * self._ranges(index) / step)))
        place = torch.arange(1, size + 1, device=self.x.device)
        share = (place / size) ** _CURVE
        if not step:
            return torch.where(place == size, end, start + share * (end - start))
        steps = ((end - start).abs() / step + 1e-3).floor()
        taken = torch.minimum(torch.maximum((share * steps).round(), place.to(steps)), steps)
        return start + taken * step * (1 if upwards else -1)

    def _ranges(self, index: int) -> float:
        """How many units of change a number's range has."""
        feature = self.schema.features[index]
        return 1.0 if feature.low is not None or feature.kind == "binary" else 2 * FAR

    def _staying(self, fixed: Sequence[str]) -> Tensor:
        """Which features may not change in any row ``(P,)``."""
        for name in fixed:
            _ = self.schema[name]
        stays = torch.tensor([name in fixed for name in self.schema.names], device=self.x.device)
        fall, rise = (move.to(self.x.device) for move in self.modality.movable)
        # A category goes where another comes: one whose columns may only rise, or only fall, stays.
        moves = torch.where(self.categorical[self.of], fall & rise, fall | rise)
        return stays | ~(moves[None] | ~self.members).all(1)

    def _box(self, stays: Tensor, data: Tensor | None) -> tuple[Tensor, Tensor]:
        """Lowest and highest value of each column, for each row ``(N, D)``."""
        around = PerturbationSet.around(self.x, self.schema, eps=torch.inf)
        reach = FAR * self.scale
        low, high = (self.x - reach, self.x + reach) if data is None else (data.amin(0), data.amax(0))
        fall, rise = (move.to(self.x.device) for move in self.modality.movable)
        low = torch.where(fall, torch.minimum(low, self.x), self.x)
        high = torch.where(rise, torch.maximum(high, self.x), self.x)
        lower = torch.where(around.lower == -torch.inf, low, around.lower)
        upper = torch.where(around.upper == torch.inf, high, around.upper)
        kept = stays[self.of]
        return torch.where(kept, self.x, lower), torch.where(kept, self.x, upper)


def _step(schema: Schema, index: int) -> float:
    """How far the encoded column moves from one value to the next; 0 for a continuous one or a category."""
    feature = schema.features[index]
    scale = float(schema.column_scale[schema.groups[feature.name]][0])
    return {"integer": scale / feature.span, "binary": scale}.get(feature.kind, 0.0)


def _weight(schema: Schema, name: str, weights: Mapping[str, float]) -> float:
    for other in weights:
        _ = schema[other]
    weight = float(weights.get(name, 1.0))
    if not 0 <= weight < torch.inf:
        raise ConfigurationError(
            f"the weight of {name!r} must be at least 0 and finite, got {weight}", remedy="name it in fixed to keep it"
        )
    return weight


def _require_valid(valid: Tensor) -> None:
    if not valid.all():
        wrong = (~valid).nonzero()[:, 0].tolist()
        raise DataError(
            f"{len(wrong)} of {len(valid)} inputs are not valid, first in row {wrong[0]}: a category is not one of its columns, a whole "
            "number is not whole, or a relation does not hold",
            remedy="encode them with classifier.schema.encode(frame), correct them, or leave them out",
        )
