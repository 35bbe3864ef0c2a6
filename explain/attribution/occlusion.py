"""Occlusion: a window slides over an input, and the output shows what it covers (Zeiler & Fergus, 2014, arXiv:1311.2901)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modalities._observed import observed_column
from classifier.modalities.image import Image
from classifier.modalities.sequence import Series
from classifier.modalities.text import Text
from classifier.modality import Modality, modality_of
from classifier.seeds import Seed
from explain.games.coalitions import spread_over_elements
from explain.games.mixtures import outputs_of_mixtures
from explain.method import METHODS, Method, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class Occlusion(Method):
    """Replace what a window covers by the baseline, divide the effect evenly over it, and average where windows overlap.

    A window is a square of an image with all its channels, steps of one variable of a series, or tokens of a text. Where
    nothing lies next to anything, in a table or among the nodes of a graph, each player is a window of its own, as in
    `feature_ablation`. The last window of a line is cut at the edge. Divided, effects keep their unit when a patch sums
    them up; times the number of a window's elements, they are the mean effect of the windows that cover an element.

    Args:
        window: Side of the window, in pixels, steps or tokens; by default two patches, two stretches or one token.
        stride: How far it moves, at most its side; by default half of it, rounded up.
    """

    quantity: ClassVar[Quantity] = "effect"

    window: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("window", self.window), ("stride", self.stride)):
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {value}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        modality = modality_of(classifier.schema)
        window, stride = self._extent(modality)
        if not isinstance(modality, Image | Series | Text):
            if max(window, stride) > 1:
                return f"features and nodes have no order along which window={window} could slide; feature_ablation takes them one by one"
        elif window > min(modality.schema.size):
            return f"window={window} is longer than the input, which is {' x '.join(map(str, modality.schema.size))}"
        elif stride > window:
            return f"stride={stride} is longer than the window, {window}, and would leave out what lies between"
        return super().obstacle(classifier, rows=rows, background=background, players=players)

    def __call__(self, task: Task, seed: Seed) -> Scores:
        modality = task.modality
        whole = task.output(task.x, task.target).double()
        if not isinstance(modality, Image | Series | Text):
            without = ~torch.eye(len(modality.players), dtype=torch.bool)
            return Scores(spread_over_elements(task, whole[:, None] - outputs_of_mixtures(task, without)), exact=True)
        height, width = _grid(modality)
        # The end of a text cannot be covered, and gets no share of what a window does that reaches beyond it.
        here = (modality.present(task.x) if isinstance(modality, Text) else torch.ones(len(task.x), height * width)).to(whole)
        total, times = torch.zeros_like(here), torch.zeros_like(here[0])
        for covered in self._windows(modality):
            effects = whole[:, None] - outputs_of_mixtures(task, _kept(modality, ~covered))
            flat = covered.flatten(1).to(here)
            total += effects / (here @ flat.T).clamp_min(1) @ flat
            times += flat.sum(0)
        return Scores(_laid(modality, (total * here / times).reshape(-1, height, width)), exact=True)

    def _extent(self, modality: Modality) -> tuple[int, int]:
        """Side and stride of the window."""
        side = 1
        if isinstance(modality, Image):
            side = min(2 * modality.patch, *modality.schema.size)
        elif isinstance(modality, Series):
            first, last = modality.stretches[0]
            side = min(2 * (last - first + 1), *modality.schema.size)
        window = side if self.window is None else self.window
        return window, -(-window // 2) if self.stride is None else self.stride

    def _windows(self, modality: Image | Series | Text) -> Iterator[Tensor]:
        """What each window covers of the grid ``(m, height, width)``, bool, some windows at a time."""
        (height, width), (side, stride) = _grid(modality), self._extent(modality)
        tall, down = (side, stride) if isinstance(modality, Image) else (1, 1)
        tops, lefts = (torch.arange(-(-(extent - w) // s) + 1) * s for extent, w, s in ((height, tall, down), (width, side, stride)))
        for top, left in zip(*(torch.split(part, chunk_size((height, width))) for part in _pairs(tops, lefts)), strict=True):
            rows, columns = torch.arange(height) - top[:, None], torch.arange(width) - left[:, None]
            yield ((rows >= 0) & (rows < tall))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]


def _pairs(tops: Tensor, lefts: Tensor) -> tuple[Tensor, Tensor]:
    """Each top with each left."""
    return tops.repeat_interleave(len(lefts)), lefts.repeat(len(tops))


def _grid(modality: Image | Series | Text) -> tuple[int, int]:
    """The cells that windows slide over: pixels, the steps of each variable, or tokens in one line."""
    if isinstance(modality, Image):
        height, width = modality.schema.size
        return height, width
    lines = int(_variables(modality).max()) + 1 if isinstance(modality, Series) else 1
    return lines, modality.schema.size[0]


def _variables(modality: Series) -> Tensor:
    """The variable that each column of a step belongs to ``(D,)``."""
    return modality.membership[0] // len(modality.stretches)


def _kept(modality: Image | Series | Text, cells: Tensor) -> Tensor:
    """Cells that are kept ``(m, height, width)`` as masks for `outputs_of_mixtures`."""
    if isinstance(modality, Image):
        return cells[:, None].float()
    return cells[:, _variables(modality)].mT.float() if isinstance(modality, Series) else cells[:, 0]


def _laid(modality: Image | Series | Text, values: Tensor) -> Tensor:
    """Values of cells ``(N, height, width)``, divided over the elements that each holds ``(N, *S)``."""
    if isinstance(modality, Image):
        return values[:, None].expand(-1, len(modality.schema.features), -1, -1) / len(modality.schema.features)
    if isinstance(modality, Text):
        return values[:, 0]
    variables = _variables(modality)
    counted = torch.ones(len(variables), dtype=values.dtype)
    flag = observed_column(modality.schema)
    if flag is not None and (variables == variables[flag]).sum() > 1:
        # A single variable shares its windows with the flag, and keeps what they do.
        counted[flag] = 0
    share = counted / torch.zeros_like(counted).scatter_add_(0, variables, counted)[variables]
    return (values[:, variables.to(values.device)] * share.to(values.device)[:, None]).mT
