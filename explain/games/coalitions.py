"""Coalitions: what a classifier answers when only some players keep their value, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from classifier.chunks import ELEMENTS, chunk_size
from classifier.modality import modality_of
from classifier.progress import progress_bar
from explain.method import Scores, Task

# Numbers in the widest layer at once on a processor: more leave its cache, and everything takes up to twice as long.
_CACHED = 2**19
# Rows that are tried to see how wide the layers are: so many that the weights are small beside them.
_TRIED = 8
# Rows that share a game at most, so that what is made of all its coalitions fits into memory.
_ROWS = 1024


@dataclass(frozen=True)
class Game:
    """Inputs with the same players.

    Args:
        task: What is to be explained, of these inputs.
        rows: Which inputs of the batch they are ``(n,)``.
        players: Who plays ``(Q,)``, by their number in the modality; the others are not there.
    """

    task: Task
    rows: Tensor
    players: Tensor

    def values(self, present: Tensor, *, shown: bool = True) -> Tensor:
        """The mean output over the background for each coalition of those who play.

        Args:
            present: Members of each coalition ``(M, Q)``, bool.
            shown: Whether a terminal shows the progress.

        Returns:
            Values ``(n, M)``, float64, in main memory.
        """
        everyone = torch.zeros(len(present), len(self.task.modality.players), dtype=torch.bool)
        everyone[:, self.players] = present
        return coalition_values(self.task, everyone, shown=shown)


@dataclass(frozen=True)
class Shares:
    """What each player of a game gets.

    Args:
        values: One number a player ``(n, Q)``.
        base_value: The value of the empty coalition ``(n,)``.
        standard_error: Standard errors ``(n, Q)``, where the values were sampled.
        note: What was not done exactly as the method defines it; empty where nothing was.
    """

    values: Tensor
    base_value: Tensor
    standard_error: Tensor | None = None
    note: str = ""


def play(task: Task, divide: Callable[[Game], Shares]) -> Scores:
    """Let only those players play that an input has, and lay what they get over its elements; the others get 0.

    Args:
        task: What is to be explained.
        divide: Gives each player of a game its share; called for all inputs that have the same players.
    """
    count = len(task.modality.players)
    values, errors = (torch.zeros(len(task.x), count, dtype=torch.float64) for _ in range(2))
    base_value = torch.zeros(len(task.x), dtype=torch.float64)
    sampled, notes = False, dict[str, None]()
    for game in games(task):
        shares = divide(game) if len(game.players) else Shares(torch.zeros(len(game.rows), 0), game.values(torch.ones(1, 0) > 0)[:, 0])
        place = (game.rows[:, None], game.players)
        values[place], base_value[game.rows] = shares.values.double(), shares.base_value
        if shares.standard_error is not None:
            errors[place], sampled = shares.standard_error, True
        if shares.note:
            notes[shares.note] = None
    return Scores(
        spread_over_elements(task, values),
        base_value,
        exact=not sampled and not notes,
        standard_error=errors if sampled else None,
        notes=tuple(notes),
    )


def games(task: Task) -> Iterable[Game]:
    """The inputs, by who plays: so that a short text costs no more than it has tokens, and gets among others what it gets alone."""
    plays = ~_idle(task).cpu()
    # To look for what differs takes time where nothing does.
    patterns, pattern_of = plays[:1], torch.zeros(len(plays), dtype=torch.int64)
    if not plays.all():
        patterns, pattern_of = torch.unique(plays, dim=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        for rows in torch.split((pattern_of == number).nonzero()[:, 0], _ROWS):
            own = task if len(rows) == len(task.x) else replace(task, x=task.x[rows], target=task.target[rows])
            yield Game(own, rows, pattern.nonzero()[:, 0])


def most_players(task: Task) -> int:
    """How many players the input has that has most of them."""
    return int((~_idle(task)).sum(1).max())


def coalition_values(task: Task, present: Tensor, *, elements: int | None = None, shown: bool = True) -> Tensor:
    """The mean output over the background where only the players of each coalition keep their value.

    Players outside a coalition take the values of a background row, whatever the others are: the
    interventional game (Janzing et al., 2020, arXiv:1910.13413).

    Args:
        task: What is to be explained; every row of `task.baseline` ``(B, *S)`` counts alike.
        present: Members of each coalition ``(M, P)``, bool. The same coalitions serve all inputs.
        elements: Input elements that are masked at once; by default as many as the device likes.
        shown: Whether a terminal shows the progress.

    Returns:
        Values ``(N, M)``, float64, in main memory.
    """
    modality = task.modality
    present = present.to(task.x.device)
    rows, coalitions, background = len(task.x), len(present), len(task.baseline)
    values = torch.zeros(rows, coalitions, dtype=torch.float64, device=_wide_device(task))
    if not coalitions:
        return values.cpu()
    budget = _at_once(task) if elements is None else chunk_size(tuple(task.x.shape[1:]), elements=elements)
    height = _even(rows, budget / (coalitions * background))
    width = _even(coalitions, budget / (height * background))
    depth = _even(background, budget / (height * width))
    pieces = list(product(range(0, rows, height), range(0, coalitions, width), range(0, background, depth)))
    with progress_bar("coalitions", len(pieces), shown=shown) as advance:
        for row, column, layer in pieces:
            x = task.x[row : row + height, None, None]
            masked = modality.mask(x, present[None, column : column + width, None], task.baseline[None, None, layer : layer + depth])
            shape = masked.shape[:3]
            target = task.target[row : row + height].repeat_interleave(shape[1] * shape[2])
            part = task.output.chosen(task.classifier.logits(masked.flatten(0, 2)), target).reshape(shape)
            values[row : row + height, column : column + width] += part.to(values.device).sum(2, dtype=values.dtype)
            advance("")
    # Once for all, since to look at each piece would make a device wait.
    task.output.require_finite(int((~values.isfinite()).sum()), values.numel())
    return values.cpu() / background


def spread_over_elements(task: Task, values: Tensor) -> Tensor:
    """Lay values of players ``(N, P)`` over the elements of the inputs ``(N, *S)``."""
    return modality_of(task.classifier.schema).spread(values, task.x.to(values.device))


def _idle(task: Task) -> Tensor:
    """Which players an input does not have, and no row of the background puts in their place ``(N, P)``."""
    modality = task.modality
    idle = ~modality.present(task.x)
    if not idle.any():
        return idle
    nobody = torch.zeros(len(modality.players), dtype=torch.bool, device=task.x.device)
    size = chunk_size(tuple(task.x.shape[1:]))
    depth = min(len(task.baseline), size)
    for rows in torch.split(torch.arange(len(task.x), device=task.x.device), max(1, size // depth)):
        x = task.x[rows, None]
        for background in torch.split(task.baseline, depth):
            changed = (modality.mask(x, nobody, background[None]) != x).any(1)
            idle[rows] &= modality.gather(changed.float()) == 0
    return idle


def _at_once(task: Task) -> int:
    """How many inputs the classifier answers at once: as many as its widest layer leaves room for."""
    shape = tuple(task.x.shape[1:])
    if task.x.device.type != "cpu":
        return chunk_size(shape, elements=ELEMENTS)
    rows = min(len(task.x), _TRIED)
    with _Widest() as widest:
        if task.classifier.module is not None:
            task.classifier.logits(task.x[:rows])
    return max(1, _CACHED // max(prod(shape), widest.elements // rows))


def _even(total: int, size: float) -> int:
    """About `size`, so that pieces of it are alike: a small one at the end takes nearly as long as a full one."""
    return ceil(total / max(1, round(total / max(1.0, size))))


def _wide_device(task: Task) -> torch.device:
    """Where sums in double precision are kept: Apple's processors have none of it."""
    return torch.device("cpu") if task.x.device.type == "mps" else task.x.device


class _Widest(TorchFunctionMode):
    """Watches how many numbers the largest tensor of a computation holds."""

    elements = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        answer = func(*args, **(kwargs or {}))
        # A view, such as a transposed weight, takes no room of its own.
        if isinstance(answer, Tensor) and answer.data_ptr() not in {part.data_ptr() for part in args if isinstance(part, Tensor)}:
            self.elements = max(self.elements, answer.numel())
        return answer
