"""Where an exact answer searches: the box and the ball around each row, and the law that valid rows keep."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from audit.robustness.certificates.region import Region
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.modalities.tabular import NOISE, TOLERANCE
from classifier.modality import modality_of
from classifier.perturbation import Norm, PerturbationSet
from classifier.schema import Feature, Schema


@dataclass(frozen=True)
class Law:
    """What rows must keep to be valid, beside their bounds.

    Args:
        whole: Which elements stand on a grid ``(D,)``, bool.
        origin: A point of each grid ``(D,)``.
        step: Distance of its points ``(D,)``.
        noise: How far rounding may have moved an element from its grid, in steps ``(D,)``.
        groups: The elements of each one-hot group, of which one is 1 and the others are 0.
        relations: Weights of the elements in each relation ``(R, D)``.
        values: Right-hand side of each ``(R,)``, of ``<=`` or ``==`` as `equal` says.
        offsets: What the parts of each relation add up to where every element is 0, without regard to sign ``(R,)``.
        equal: Which relations are equations ``(R,)``, bool.
    """

    whole: Tensor
    origin: Tensor
    step: Tensor
    noise: Tensor
    groups: tuple[slice, ...]
    relations: Tensor
    values: Tensor
    offsets: Tensor
    equal: Tensor

    @classmethod
    def of(cls, schema: Schema, *, constrained: bool) -> Law:
        """The law of a schema; of nothing but the bounds where it is not `constrained`.

        Raises:
            NotApplicableError: If the inputs are neither rows of a table nor images.
        """
        size = int(schema.scale.numel())
        nothing = cls(
            torch.zeros(size, dtype=torch.bool), torch.zeros(size).double(), torch.ones(size).double(), torch.zeros(size).double(),
            (), torch.zeros(0, size).double(), torch.zeros(0).double(), torch.zeros(0).double(), torch.zeros(0, dtype=torch.bool),
        )  # fmt: skip
        if not constrained:
            return nothing
        if schema.modality not in ("tabular", "image") or (schema.relations and schema.modality != "tabular"):
            raise NotApplicableError(
                f"an exact answer over valid inputs knows rows of a table and images, got {schema.modality}", remedy="constrained=False"
            )
        lay = modality_of(schema).lay
        columns = [part for feature in schema.features for part in [_grid(feature, schema)] * feature.width]
        whole, origin, step, noise = (lay(torch.tensor(values)).flatten() for values in zip(*columns, strict=True))
        groups = tuple(schema.groups[feature.name] for feature in schema.features if feature.kind == "categorical")
        return cls(whole.bool(), origin.double(), step.double(), noise.double(), groups, *_relations(schema, size))

    def first(self, lower: Tensor) -> Tensor:
        """The number of the first point of each grid at or above `lower` ``(N, D)``."""
        return ((lower - self.origin) / self.step - self.noise).ceil()

    def last(self, upper: Tensor) -> Tensor:
        """The number of the last point of each grid at or below `upper` ``(N, D)``."""
        return ((upper - self.origin) / self.step + self.noise).floor()


@dataclass(frozen=True)
class LawfulRegion:
    """The points that may stand in for each row.

    Args:
        allowed: Box and ball in the precision of the inputs ``(N, *S)``.
        ball: The same in double precision, for flat rows ``(N, D)``, with the rounding of the inputs' precision let in and elements
            that stand on a grid brought to its outermost points.
        law: What valid rows keep.
    """

    allowed: PerturbationSet
    ball: Region
    law: Law

    @classmethod
    def around(cls, classifier: Classifier, x: Tensor, *, eps: float, norm: Norm, constrained: bool) -> LawfulRegion:
        """The region around inputs ``(N, *S)``.

        Raises:
            NotApplicableError: If the norm is L2, whose ball no linear program describes.
        """
        if norm == "L2":
            raise NotApplicableError("the ball of the L2 norm is round, and a linear program has flat sides only", remedy="norm Linf or L1")
        schema = classifier.schema
        allowed, law = (
            PerturbationSet.around(x, schema, eps=eps, norm=norm, constrained=constrained),
            Law.of(schema, constrained=constrained),
        )
        ball = Region.around(x, schema, eps=eps, norm=norm, constrained=constrained)
        centre, lower, upper = (corner.flatten(1) for corner in (ball.centre, ball.lower, ball.upper))
        lower = torch.where(law.whole, law.origin + law.step * law.first(lower), lower)
        upper = torch.where(law.whole, law.origin + law.step * law.last(upper), upper)
        # A row that is itself between the points of its grid has none around it; what becomes of it is not asked.
        lower, upper = torch.minimum(lower, upper), torch.maximum(lower, upper)
        return cls(allowed, Region(centre, lower, upper, ball.scale.flatten(), ball.eps, norm), law)

    @property
    def lower(self) -> Tensor:
        """Lowest value of each element ``(N, D)``."""
        return self.ball.lower

    @property
    def upper(self) -> Tensor:
        """Highest value ``(N, D)``."""
        return self.ball.upper

    def __getitem__(self, rows: Tensor) -> LawfulRegion:
        """The same for some of the rows."""
        ball = self.ball
        return replace(
            self, allowed=self.allowed[rows], ball=replace(ball, centre=ball.centre[rows], lower=ball.lower[rows], upper=ball.upper[rows])
        )

    def lowest(self, slope: Tensor, constant: Tensor) -> Tensor:
        """The least that affine functions take in the ball and the box ``(N, n)``.

        Args:
            slope: By each element ``(N, n, D)``.
            constant: ``(N, n)``.
        """
        rows = torch.arange(len(slope)).repeat_interleave(slope.shape[1])
        return constant + self.ball.least(slope.flatten(0, 1), rows).reshape(constant.shape)

    def inside(self, x: Tensor) -> Tensor:
        """The inputs ``(N, *S)`` nearest to points ``(N, D)`` that lie inside once they are rounded to the inputs' precision."""
        centre = self.allowed.centre
        snapped = (x - self.law.origin).div(self.law.step).round() * self.law.step + self.law.origin
        point = torch.where(self.law.whole, snapped, x).to(centre.dtype).reshape(centre.shape)
        return torch.where(self.law.whole.reshape(centre.shape[1:]), point, self.allowed.project(point))


def _grid(feature: Feature, schema: Schema) -> tuple[bool, float, float, float]:
    """Whether an encoded column of the feature stands on a grid, a point of it, its step, and the noise in steps."""
    scaled = schema.encoding == "unit" and feature.low is not None
    noise = max(TOLERANCE, NOISE * feature.span)
    if feature.kind == "categorical":
        return True, 0.0, 1.0, TOLERANCE
    if feature.kind not in ("integer", "binary"):
        return False, 0.0, 1.0, 0.0
    step = 1.0 if scaled and feature.kind == "binary" else 1 / feature.span if scaled else feature.span if feature.kind == "binary" else 1.0
    return True, 0.0 if scaled or feature.low is None else feature.low, step, noise


def _relations(schema: Schema, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights, right-hand sides, sizes where all is 0, and which are equations, of relations over the encoded columns."""
    weights = torch.zeros(len(schema.relations), size).double()
    values, offsets = (torch.zeros(len(schema.relations)).double() for _ in range(2))
    for row, relation in enumerate(schema.relations):
        values[row] = relation.value
        for name, weight in relation.weights.items():
            feature = schema[name]
            scaled = schema.encoding == "unit" and feature.low is not None
            low, span = (feature.low or 0.0, feature.span) if scaled else (0.0, 1.0)
            weights[row, schema.groups[name]] = weight * span
            values[row] -= weight * low
            offsets[row] += abs(weight * low)
    return weights, values, offsets, torch.tensor([relation.sense == "==" for relation in schema.relations], dtype=torch.bool)
