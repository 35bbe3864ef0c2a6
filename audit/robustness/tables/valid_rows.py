"""Valid rows: what the rows of a table may become within a ball if the schema is law (Simonetto et al., 2024, arXiv:2406.00775)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from audit.robustness.reach import with_rounding
from audit.robustness.tables.planes import Planes
from classifier.errors import NotApplicableError
from classifier.modality import Modality
from classifier.perturbation import Norm, PerturbationSet
from classifier.schema import Feature
from explain.counterfactual.relations import Relations

#: How far a number without bounds is searched where eps is infinite, in units of change.
FAR = 4.0
# What another category costs: two columns move by a unit of change.
_SWITCH: dict[Norm, float] = {"Linf": 1.0, "L2": 2**0.5, "L1": 2.0}
# Rounding of a number that was divided by a unit and multiplied by it again, as a share of its size.
_AGAIN = 5e-7


class ValidRows:
    """The valid rows near those under attack, in units of change.

    Whole numbers move in whole steps, categories are exchanged whole and only where the ball has room for that, relations
    between features hold. Without a modality there is no law, and any row in the ball and the box is valid.

    Args:
        allowed: What the rows may become, in units of change, around rows ``(N, D)``.
        modality: What says which rows are valid; ``None`` where all are.

    Raises:
        NotApplicableError: If the rows are no rows of a table.
    """

    def __init__(self, allowed: PerturbationSet, modality: Modality | None) -> None:
        centre = allowed.centre
        if centre.dim() != 2 or (modality is not None and modality.schema.modality != "tabular"):
            kind = "inputs" if modality is None else modality.schema.modality
            raise NotApplicableError(f"this attack changes the features of a table, not {kind} of shape {tuple(centre.shape[1:])}")
        self._modality = modality
        features = [] if modality is None else modality.schema.features
        width = centre.shape[1]
        feature = torch.arange(width, device=centre.device) if modality is None else modality.membership.to(centre.device)
        #: How many columns a column's feature has, and its place among them ``(D,)``.
        self.width = torch.tensor([w for f in features for w in [f.width] * f.width] or [1] * width, device=centre.device)
        self.place = torch.tensor([p for f in features for p in range(f.width)] or [0] * width, device=centre.device)
        #: Which columns belong to a category ``(D,)``.
        self.category = torch.tensor([f.kind == "categorical" for f in features for _ in range(f.width)] or [False] * width)
        self.category = self.category.to(centre.device)
        #: How far a column moves from one value to the next; 0 where it is continuous or a category ``(D,)``.
        self.step = torch.tensor([_step(f) for f in features for _ in range(f.width)] or [0.0] * width).to(centre)
        self._noise = torch.tensor([_noise(f) for f in features for _ in range(f.width)] or [0.0] * width).to(centre)
        # What rounding leaves of a large number counts in steps too.
        largest = centre.abs().amax(0) if len(centre) else self._noise
        self._noise = torch.where(self.step > 0, self._noise + _AGAIN * largest / self.step.clamp_min(1e-30), self._noise)
        # A category that cannot be exchanged whole stays: between two there is no valid row.
        room = with_rounding(allowed.eps) >= _SWITCH[allowed.norm]
        groups = [] if modality is None else [modality.schema.groups[f.name] for f in features if f.kind == "categorical"]
        self._groups = groups if room else []
        #: What the rows may become, each column in whole steps.
        self.allowed = self._narrowed(allowed)
        moves = torch.ones(width, dtype=torch.bool, device=centre.device) if modality is None else _moves(modality).to(centre.device)
        moves &= ~self.category | room
        #: How many features may change in some row, whichever rows there are, and the number among them of each column's
        #: ``(D,)``; -1 where it may not.
        self.features, self.feature = _numbered(feature, moves)
        self._scale = torch.ones(width).to(centre) if modality is None else modality.schema.scale.to(centre)
        self._grid = [part.to(centre) for part in _grid(modality, width)]
        related = modality is not None and bool(modality.schema.relations)
        self._planes = Planes(modality.schema, centre.device) if modality is not None and related else None
        self._relations = self._repairs(modality) if modality is not None and related else None

    def project(self, u: Tensor, rows: Tensor) -> Tensor:
        """Rows near these in the ball and the box that keep the relations, whole or not ``(M, D)``.

        Args:
            u: Changed rows ``(M, D)``.
            rows: Which rows they are of ``(M,)``.
        """
        here = self.allowed[rows]
        return here.project(u) if self._planes is None else self._planes.nearest(u, here, lambda v, some: here[some].project(v))

    def settle(self, u: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A valid row near each ``(M, D)``, and whether it is one ``(M,)``: where none is found, it is only nearly valid.

        Args:
            u: Changed rows ``(M, D)``.
            rows: Which rows they are of ``(M,)``.
        """
        here = self.allowed[rows]
        u = self._exchanged(u.clamp(here.lower, here.upper), here)
        u = self._inside(u, here)
        if self._planes is not None:
            u = self._planes.nearest(u, here, lambda v, some: self._inside(v, here[some]))
        settled = self._whole(u, here, cautious=False)
        good = self._holds(settled, here)
        # On the way back to the row it stays in the ball; relations may want either.
        for cautious in (True, False):
            left = (~good).nonzero()[:, 0]
            if not len(left):
                break
            some = here[left]
            tried = self._whole(u[left], some, cautious=cautious)
            tried = self._mended(tried, u[left], some) if self._relations is not None else tried
            found = self._holds(tried, some)
            settled[left[found]], good[left[found]] = tried[found], True
        return settled, good

    def violation(self, u: Tensor) -> Tensor:
        """How far each row is from keeping the relations, in units of change ``(M,)``."""
        return torch.zeros(len(u), device=u.device) if self._planes is None else self._planes.violation(u)

    def _narrowed(self, allowed: PerturbationSet) -> PerturbationSet:
        """The box, no larger than the ball, and in it what can be reached in whole steps."""
        centre = allowed.centre
        lower, upper = (torch.where(bound.isfinite(), bound, centre + way * FAR) for bound, way in zip(allowed.cube, (-1, 1), strict=True))
        step = self.step.clamp_min(1e-30)
        down, up = (((bound - centre).abs() / step + self._noise).floor() * step for bound in (lower, upper))
        lower = torch.where(self.step > 0, centre - down, lower)
        upper = torch.where(self.step > 0, centre + up, upper)
        lower, upper = (torch.where(self.category, centre, bound) for bound in (lower, upper))
        for group in self._groups:
            loose = ((allowed.lower[:, group] <= 0) & (allowed.upper[:, group] >= 1)).all(1, keepdim=True)
            lower[:, group] = torch.where(loose, 0.0, centre[:, group])
            upper[:, group] = torch.where(loose, 1.0, centre[:, group])
        return replace(allowed, lower=torch.minimum(lower, centre), upper=torch.maximum(upper, centre))

    def _exchanged(self, u: Tensor, here: PerturbationSet) -> Tensor:
        """Categories whole: the largest column of each group, or as it was where the exchange would leave the ball."""
        if not self._groups:
            return u
        whole = u.clone()
        for group in self._groups:
            largest = torch.nn.functional.one_hot(u[:, group].argmax(1), group.stop - group.start).to(u)
            whole[:, group] = torch.where(here.upper[:, group] > here.lower[:, group], largest, here.centre[:, group])
        kept = torch.where(self.category, whole, here.centre)
        far = here.distance(kept) > with_rounding(here.eps)
        return torch.where(far[:, None] & self.category, here.centre, whole)

    def _inside(self, u: Tensor, here: PerturbationSet) -> Tensor:
        """Numbers pulled towards the row until the ball holds them beside the categories."""
        u = u.clamp(here.lower, here.upper)
        if here.norm == "Linf" or here.eps == torch.inf:
            return u
        power = 2 if here.norm == "L2" else 1
        delta = u - here.centre
        used = torch.where(self.category, delta, 0.0).abs().pow(power).sum(1)
        length = torch.where(self.category, 0.0, delta).abs().pow(power).sum(1)
        share = ((here.eps**power - used).clamp_min(0) / length.clamp_min(1e-30)).pow(1 / power).clamp_max(1)
        return torch.where(self.category, u, here.centre + delta * share[:, None])

    def _whole(self, u: Tensor, here: PerturbationSet, *, cautious: bool) -> Tensor:
        """Whole numbers whole: the nearest ones, or those on the way back to the row."""
        steps = (u - here.centre) / self.step.clamp_min(1e-30)
        steps = (steps.abs() + self._noise).floor() * steps.sign() if cautious else steps.round()
        return torch.where(self.step > 0, here.centre + steps * self.step, u).clamp(here.lower, here.upper)

    def _mended(self, u: Tensor, wanted: Tensor, here: PerturbationSet) -> Tensor:
        """Of the rows that one feature a relation makes good again the valid one nearest to what was wanted."""
        assert self._relations is not None
        ways = self._relations.mended(u * self._scale, here.lower * self._scale, here.upper * self._scale) / self._scale
        count, many, width = ways.shape
        owner = torch.arange(count, device=u.device).repeat_interleave(many)
        good = self._holds(ways.reshape(-1, width), here[owner]).reshape(count, many)
        distance = (ways - wanted[:, None]).norm(dim=2).masked_fill(~good, torch.inf)
        return ways[torch.arange(count, device=u.device), distance.argmin(1)]

    def _holds(self, u: Tensor, here: PerturbationSet) -> Tensor:
        """Which rows are valid and in the ball ``(M,)``; in the box they are already."""
        inside = here.distance(u) <= with_rounding(here.eps)
        return inside if self._modality is None else inside & self._modality.valid(self._natural(u))

    def _natural(self, u: Tensor) -> Tensor:
        """The inputs that rows in units of change stand for, whole numbers exactly where rounding alone moved them ``(M, D)``."""
        x = u * self._scale
        start, step = self._grid
        whole = start + ((x - start) / step).round() * step
        return torch.where((x - whole).abs() <= _AGAIN * x.abs(), whole, x)

    def _repairs(self, modality: Modality) -> Relations:
        first = torch.tensor([modality.schema.groups[name].start for name in modality.schema.names], device=self.step.device)
        return Relations(modality.schema, (self.step * self._scale)[first], _moves(modality).to(self.step.device)[first])


def _step(feature: Feature) -> float:
    """How far a column moves from one value to the next, in units of change; 0 where it is continuous or a category."""
    return {"integer": 1 / feature.span, "binary": 1.0}.get(feature.kind, 0.0)


def _grid(modality: Modality | None, width: int) -> tuple[Tensor, Tensor]:
    """A value of each column and the distance to the next one, in natural units; endless where it is not whole or not in such units."""
    start, step = torch.zeros(width), torch.full((width,), torch.inf)
    if modality is not None:
        schema = modality.schema
        for feature in schema.features:
            if feature.kind in ("integer", "binary") and (schema.encoding == "natural" or feature.low is None):
                place = schema.groups[feature.name]
                start[place], step[place] = feature.low or 0.0, feature.span if feature.kind == "binary" else 1.0
    return start, step


def _noise(feature: Feature) -> float:
    """By how much of a step rounding may have moved a whole number."""
    return max(1e-4, 1e-6 * feature.span)


def _moves(modality: Modality) -> Tensor:
    """Which columns may change ``(D,)``; a category whose columns may only rise, or only fall, stays."""
    fall, rise = modality.movable
    category = torch.tensor([f.kind == "categorical" for f in modality.schema.features for _ in range(f.width)])
    return torch.where(category, fall & rise, fall | rise)


def _numbered(feature: Tensor, moves: Tensor) -> tuple[int, Tensor]:
    """How many features have a column that moves, and for each column the number of its feature among them, or -1."""
    present, number = torch.unique(feature[moves], return_inverse=True)
    numbers = torch.full_like(feature, -1)
    numbers[moves] = number
    return len(present), numbers
