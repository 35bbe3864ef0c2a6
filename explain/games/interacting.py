"""Interacting: what players do only together (k-SII of order 2; Bord & von Luxburg, 2023, arXiv:2209.04012, definition 7)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import Modality, modality_of
from classifier.progress import progress_bar
from classifier.schema import Schema
from classifier.seeds import Seed
from explain.games.coalition_design import Design, jackknife_error
from explain.games.coalitions import Game, games
from explain.games.pair_indices import PairIndices
from explain.inputs import checked_batch, resolve_baseline
from explain.method import Task
from explain.output import Kind, Output, Target, resolve_target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS = {"log_odds": "log-odds", "logit": "logit", "probability": "probability"}


@dataclass(frozen=True, eq=False)
class Interactions:
    """What each player contributes alone, and each pair only together.

    A row's main effects and pairs sum to ``value - base_value``. A pair stands in the matrix twice, above and below
    the diagonal, and counts once.

    Args:
        values: Main effects on the diagonal, and pairs beside it ``(N, P, P)``, float64, in `unit`.
        standard_error: Their standard errors ``(N, P, P)``; ``None`` where all coalitions were evaluated.
        target: The class that is explained, for each input ``(N,)``.
        inputs: What was explained ``(N, *S)``.
        base_value: Output at the baseline, or its mean over the background ``(N,)``.
        value: Output at the input ``(N,)``.
        output: What was explained: ``"log_odds"``, ``"logit"`` or ``"probability"`` of the target.
        samples: Coalitions that were evaluated at most.
        seed: What was sampled with.
        seconds: How long it took.
        schema: What the inputs mean.
        classes: Names of the classes.
        classifier_digest: Digest of the classifier.
    """

    values: Tensor
    standard_error: Tensor | None
    target: Tensor
    inputs: Tensor
    base_value: Tensor
    value: Tensor
    output: Kind
    samples: int
    seed: int
    seconds: float
    schema: Schema
    classes: tuple[str, ...]
    classifier_digest: str

    @property
    def exact(self) -> bool:
        """Whether all coalitions were evaluated."""
        return self.standard_error is None

    @property
    def modality(self) -> Modality:
        """How the inputs are taken apart."""
        return modality_of(self.schema)

    @property
    def players(self) -> tuple[str, ...]:
        """The names of the rows and columns."""
        return self.modality.players

    @property
    def unit(self) -> str:
        """What the values are in, with the class: ``"log-odds of bad"``."""
        targets = set(self.target.tolist())
        return f"{_WORDS[self.output]} of {self.classes[targets.pop()] if len(targets) == 1 else 'each row’s class'}"

    @property
    def shapley(self) -> Tensor:
        """Each player's Shapley value: its main effect and half of each of its pairs ``(N, P)``."""
        main = self.values.diagonal(dim1=1, dim2=2)
        return main + (self.values.sum(2) - main) / 2

    @property
    def completeness_error(self) -> Tensor:
        """How far main effects and pairs miss the sum ``value - base_value`` ``(N,)``."""
        return (self.values.triu().sum((1, 2)) - (self.value - self.base_value)).abs()

    def to_frame(self) -> pd.DataFrame:
        """One line for each row and each player or pair, largest first: row, player, with, value, standard error.

        `with` is empty for a main effect. Players that an input does not have are left out.
        """
        here = self.modality.present(self.inputs).cpu()
        told = (here[:, :, None] & here[:, None, :]) | (self.values != 0)
        row, first, second = (index.numpy() for index in (told.triu()).nonzero(as_tuple=True))
        names = np.array(self.players, dtype=object)
        errors = np.full(len(row), np.nan) if self.standard_error is None else self.standard_error.numpy()[row, first, second]
        frame = pd.DataFrame(
            {
                "row": row,
                "player": names[first],
                "with": np.where(first == second, "", names[second]),
                "value": self.values.numpy()[row, first, second],
                "standard_error": errors,
            }
        )
        order = np.lexsort((-frame["value"].abs().to_numpy(), row))
        return frame.iloc[order].reset_index(drop=True)

    def plot(self, ax: Axes | None = None, *, limit: int = 10) -> Axes:
        """Draw one row's main effects and pairs as a matrix, or their mean size over several rows."""
        from explain.figures.behaviour.interactions import draw_interactions

        return draw_interactions(self, limit=limit, ax=ax)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: int | slice | Tensor | NDArray[Any] | list[int]) -> Interactions:
        """Those of some of the rows; one row stays a batch of one."""
        index = torch.from_numpy(np.atleast_1d(np.arange(len(self))[rows]))
        chosen: Mapping[str, Tensor] = {f.name: v[index] for f in fields(self) if isinstance(v := getattr(self, f.name), Tensor)}
        return replace(self, **chosen)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"Interactions({len(self)} rows, {self.unit}, {'exact' if self.exact else 'an estimate'})"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        frame = self.to_frame().drop(columns=["standard_error"] if self.exact else [])
        return table_html(
            f"What players do alone, and only together, in {self.unit}", frame.drop(columns=["row"] if len(self) == 1 else [])
        )


def interactions(
    classifier: Classifier,
    inputs: Tensor,
    *,
    target: Target = None,
    baseline: Tensor | None = None,
    output: str = "auto",
    samples: int = 4096,
    seed: int = 0,
) -> Interactions:
    """Divide each input's output among its players and their pairs.

    A pair gets its Shapley interaction index: what both add together beyond what each adds alone, on average over
    coalitions of the others. A player keeps its Shapley value less half of each of its pairs. Interactions of three and more
    are shared among their pairs and players.

    Args:
        classifier: What is explained.
        inputs: Encoded inputs ``(N, *S)``.
        target: The class to explain; see :func:`explain.attribute`.
        baseline: What the inputs are compared with: one input ``(*S)`` or a background ``(B, *S)``.
        output: ``"log_odds"`` (two classes), ``"logit"`` or ``"probability"``; ``"auto"`` as in :func:`explain.attribute`.
        samples: Coalitions evaluated for each input and background row, besides the empty and the full one. Exact where
            all fit, which are 12 players with the default; else with standard errors of a jackknife over pairs of coalitions.
        seed: Decides what is sampled.

    Raises:
        ConfigurationError: If a class or an output does not exist, or a shape does not fit.
        NotApplicableError: If there are too few samples for so many pairs.
        DataError: If inputs or baseline are not finite.
        ModelError: If the classifier answers with values that are not finite.
    """
    if samples < 2:
        raise ConfigurationError(f"samples must be at least 2, got {samples}")
    x = checked_batch(classifier, inputs)
    reference, _ = resolve_baseline(classifier, baseline)
    task = Task(Output.of(classifier, output), x, resolve_target(classifier, x, target), reference.to(x))
    count, stream = len(task.modality.players), Seed(seed, ("explain", "interactions"))
    values, errors = (torch.zeros(len(x), count, count, dtype=torch.float64) for _ in range(2))
    base_value, sampled, started = torch.zeros(len(x), dtype=torch.float64), False, time.perf_counter()
    for game in games(task):
        found, spread, base_value[game.rows] = _of_game(game, samples, stream)
        place = (game.rows[:, None, None], game.players[:, None], game.players)
        values[place] = found
        if spread is not None:
            errors[place], sampled = spread, True
    return Interactions(
        values=values,
        standard_error=errors if sampled else None,
        target=task.target.cpu(),
        inputs=x.cpu(),
        base_value=base_value,
        value=task.output(x, task.target).to("cpu", torch.float64),
        output=task.output.kind,
        samples=samples,
        seed=seed,
        seconds=time.perf_counter() - started,
        schema=classifier.schema,
        classes=classifier.classes,
        classifier_digest=classifier.digest,
    )


def _of_game(game: Game, samples: int, seed: Seed) -> tuple[Tensor, Tensor | None, Tensor]:
    """Main effects and pairs ``(n, Q, Q)``, their standard errors, and the value of the empty coalition ``(n,)``."""
    players = len(game.players)
    enough = min(2**players - 2, players * (players + 1))
    if samples < enough:
        raise NotApplicableError(f"the pairs of {players} players need samples={enough} or more, got {samples}")
    design = Design.draw(players, samples, seed)
    values = game.values(design.with_ends)
    shapley, replicates = design.shapley(values)
    indices = PairIndices(design)
    found = _matrix(shapley, indices(values, shapley))
    groups = len(design.sizes) - 1
    with progress_bar("standard errors", groups, shown=groups > 0) as advance:

        def again() -> Iterator[Tensor]:
            for group, repeated in enumerate(replicates, start=1):
                yield _matrix(repeated, indices(values, repeated, without=group))
                advance("")

        return found, jackknife_error(found, again()), values[:, 0]


def _matrix(shapley: Tensor, pairs: Tensor) -> Tensor:
    """Main effects on the diagonal, and pairs beside it ``(n, Q, Q)``."""
    players = shapley.shape[1]
    one, other = torch.triu_indices(players, players, 1)
    matrix = torch.zeros(len(shapley), players, players, dtype=shapley.dtype)
    matrix[:, one, other] = matrix[:, other, one] = pairs
    # Each pair goes back to its two players in the Shapley values, half to each.
    matrix.diagonal(dim1=1, dim2=2).copy_(shapley - matrix.sum(2) / 2)
    return matrix
