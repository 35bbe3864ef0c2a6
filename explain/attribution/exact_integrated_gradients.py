"""Integrated gradients of a piecewise linear network, without an error of integration (Sundararajan et al., 2017, arXiv:1703.01365)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.gradients.breakpoints import Bends, Pieces
from explain.gradients.continuum import Continuum
from explain.gradients.piecewise import corners_of, why_not_piecewise_linear
from explain.gradients.straight_path import StraightPath
from explain.method import METHODS, Method, Need, Scores, Task
from explain.output import Kind, Output

# How far the output may be from linear between breakpoints, as a share of its size: rounding leaves far less.
_LINEAR = 1e-8


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class ExactIntegratedGradients(Method):
    """Cut the straight path at the network's breakpoints, and take one gradient on each piece.

    A network of affine layers, ReLU and its like is linear between the places where a unit switches. Layer by layer these follow
    in closed form, since what a layer gets is linear on the pieces that the layers before it leave. In double
    precision, the outputs at both ends too, so that the contributions sum to ``f(x) - f(baseline)``.

    What forward code does beside its layers is checked by the outputs on all pieces, which must be linear.

    Args:
        limit: The most work that it takes on: rows x the square of the units that switch, since each may add a piece
            and each piece passes all of them.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    outputs: ClassVar[frozenset[Kind]] = frozenset({"log_odds", "logit"})
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "sequence", "graph"})

    limit: int = 2**26

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigurationError(f"limit must be at least 1, got {self.limit}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        if reason := super().obstacle(classifier, rows=rows, background=background, players=players):
            return reason
        calibration = classifier.description.calibration
        if calibration is not None and calibration.kind == "isotonic":
            return "the logits are calibrated along a broken line, whose corners are no layer's"
        if classifier.device.type == "mps":
            return "the device has no double precision"
        if reason := why_not_piecewise_linear(_network(classifier)):
            return reason
        units = _units(classifier)
        if rows * units**2 > self.limit:
            return (
                f"{rows} rows x {units}^2 units that switch are more than its limit of {self.limit:,}; explain fewer rows, "
                "or give a larger limit"
            )
        return ""

    def __call__(self, task: Task, seed: Seed) -> Scores:
        space = Continuum(_in_double(task))
        try:
            size = space.size
        except RuntimeError as error:
            raise _not_of_layers(f"the network does not run in double precision: {error}") from error
        paths = (StraightPath(space, rows) for rows in torch.split(torch.arange(len(task.x), device=task.x.device), size))
        parts = []
        for path in paths:
            ends = _ends(path, size)
            parts.append((path.attributions(_integral(path, ends, size)), *ends))
        attributions, base_value, value = map(torch.cat, zip(*parts, strict=True))
        return Scores(space.to_elements(attributions), base_value, value=value, exact=True)


def _ends(path: StraightPath, size: int) -> tuple[Tensor, Tensor]:
    """The output where each way begins and where it ends, ``(n,)`` each."""
    numbers = torch.arange(len(path.rows), device=path.way.device)
    with torch.no_grad():
        begin, end = (
            torch.cat([path.outputs(some, torch.full_like(path.way[some].flatten(1)[:, 0], place)) for some in torch.split(numbers, size)])
            for place in (0.0, 1.0)
        )
    return begin, end


def _integral(path: StraightPath, ends: tuple[Tensor, Tensor], size: int) -> Tensor:
    """The gradient along each way, integrated from its beginning to its end ``(n, *H)``, so many points at once."""
    bends = Bends(_network(path.space.task.classifier), path.outputs)
    pieces = Pieces.whole(len(path.rows), path.way)
    for call, (layer, _) in enumerate(bends.calls(pieces.rows[:1], pieces.places[:1])):
        pieces = pieces.cut(partial(bends.arriving, call), layer, size)
    slopes = torch.zeros_like(path.way)
    values, gains = [], []
    for rows, places, lengths in zip(*(torch.split(part, size) for part in pieces.middles), strict=True):
        value, weighted = path.gradients(path.points(rows, places), rows, lengths)
        slopes.index_put_((rows,), weighted, accumulate=True)
        values.append(value)
        gains.append((weighted * path.way[rows]).flatten(1).sum(1))
    _require_linear(ends, pieces.middles[0], torch.cat(values), torch.cat(gains))
    return slopes


def _require_linear(ends: tuple[Tensor, Tensor], rows: Tensor, values: Tensor, gains: Tensor) -> None:
    """Refuse a network that bends inside a piece: from one middle to the next the output must rise by half of what it rises on each piece.

    Args:
        ends: The output where each way begins and where it ends, ``(n,)`` each.
        rows: The row of each piece ``(m,)``, in order.
        values: The output at its middle ``(m,)``.
        gains: How much the output rises along it by its gradient ``(m,)``.
    """
    numbers = torch.arange(len(ends[0]), device=rows.device)
    # The ends count as pieces without length.
    nothing = torch.zeros_like(ends[0])
    order = torch.cat([numbers, rows, numbers]).argsort(stable=True)
    row, value, gain = (
        torch.cat(parts)[order] for parts in ((numbers, rows, numbers), (ends[0], values, ends[1]), (nothing, gains, nothing))
    )
    same = row[1:] == row[:-1]
    bend = (value.diff() - (gain[1:] + gain[:-1]) / 2).abs()[same].amax()
    if float(bend) > _LINEAR * (1 + float(value.abs().amax())):
        raise _not_of_layers(f"the output bends by {float(bend):.2g} between the places where the layers do")


def _not_of_layers(reason: str) -> NotApplicableError:
    return NotApplicableError(
        f"exact_integrated_gradients does not apply: {reason}",
        remedy="take integrated_gradients, or make layers of what forward code computes, such as torch.nn.ReLU for relu",
    )


def _in_double(task: Task) -> Task:
    """The same task in double precision."""
    network = copy.deepcopy(_network(task.classifier)).double()
    output = Output(Classifier(network, task.classifier.description), task.output.kind)
    return Task(output, task.x.double(), task.target, task.baseline.double())


def _units(classifier: Classifier) -> int:
    """How many corners the units of the network have for one input; a pooling has one for each element it looks at."""
    network, middle = _network(classifier), modality_of(classifier.schema).neutral().to(classifier.device)
    calls = Bends(network, network).calls(middle[None])
    return sum(arrived.numel() * max(1, len(corners_of(layer))) for layer, arrived in calls)


def _network(classifier: Classifier) -> nn.Module:
    network = classifier.module
    assert network is not None  # what has no network has no gradients, and is refused
    return network
