"""Expected gradients: integrated gradients over a background (Erion et al., 2021, arXiv:1906.10670)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.gradients.continuum import Continuum
from explain.method import METHODS, Method, Need, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class ExpectedGradients(Method):
    """Average integrated gradients over background rows, from gradients at random places of random paths.

    The contributions sum to the output less its mean over the background in expectation, and up to the standard
    error in what is drawn. The same draws serve all inputs. Background rows take turns, so that each is drawn as often
    as any other. The places on a row's paths are spread evenly, one at random in each of as many stretches, and those of
    different rows fall between each other.

    Standard errors come from the difference of draws that lie beside each other, which overstates them where the
    gradient changes evenly, and where every background row is drawn once.

    Args:
        samples: The most gradients that are taken for each input: a multiple of the number of background rows, or where
            there are more rows, so many of them.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    takes_background: ClassVar[bool] = True

    samples: int = 128

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ConfigurationError(f"samples must be at least 2, for a standard error, got {self.samples}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        space = Continuum(task)
        draws = _Draws.of(len(task.baseline), self.samples, seed, space.points)
        values, errors = [], []
        for rows in torch.split(torch.arange(len(task.x), device=task.x.device), space.size):
            total = torch.zeros_like(task.x[rows], dtype=space.points.dtype)
            jumps = torch.zeros((), dtype=torch.float64, device=total.device)
            last: Tensor | None = None
            for some in torch.split(torch.arange(len(draws.places), device=rows.device), max(1, space.size // len(rows))):
                found = _contributions(space, rows, draws.rows[some], draws.places[some])
                total += found.sum(1)
                players = task.modality.gather(found.flatten(0, 1).double()).reshape(*found.shape[:2], -1)
                # The draw before the first one of a batch is the last one of the batch before.
                players = torch.cat([players[:, :1] if last is None else last, players], 1)
                jumps = jumps + (players.diff(dim=1).square() * draws.beside[some, None]).sum(1)
                last = players[:, -1:]
            values.append(total / len(draws.places))
            errors.append((jumps / (2 * draws.beside.sum().clamp_min(1)) / len(draws.places)).sqrt())
        space.require_finite()
        return Scores(torch.cat(values), standard_error=torch.cat(errors))


def _contributions(space: Continuum, rows: Tensor, background: Tensor, places: Tensor) -> Tensor:
    """Distance times gradient of each input ``(n, m, *S)`` at places on its paths from background rows, each ``(m,)``."""
    task = space.task
    nobody = torch.zeros(len(task.modality.players), dtype=torch.bool, device=rows.device)
    starts = task.modality.mask(task.x[rows, None], nobody, task.baseline[background])
    start = space.enter(starts.flatten(0, 1)).reshape(len(rows), len(places), *space.points.shape[1:])
    way = space.points[rows, None] - start
    points = torch.addcmul(start, places.reshape(-1, *(1,) * (start.dim() - 2)), way)
    slopes = space.gradient(points.flatten(0, 1), rows.repeat_interleave(len(places))).reshape(points.shape)
    return slopes * way if space.embedded is None else (slopes * way).sum(-1)


@dataclass(frozen=True)
class _Draws:
    """Which background rows are drawn, and where on their paths.

    Args:
        rows: The background row of each draw ``(S,)``.
        places: The place on its path, from 0 to 1 ``(S,)``.
        beside: Whether the draw before lies beside it, so that the two differ by chance and little else ``(S,)``.
    """

    rows: Tensor
    places: Tensor
    beside: Tensor

    @classmethod
    def of(cls, background: int, samples: int, seed: Seed, like: Tensor) -> _Draws:
        """At most `samples` draws of rows of a background; the same ones for the same seed, whatever the inputs."""
        generator = seed.child("draws").numpy()
        rounds, count = max(1, samples // background), min(samples, background)
        chosen = np.sort(generator.choice(background, count, replace=False))
        # In every round the rows fall into different ones of `count` stretches of the round's own stretch.
        order = np.stack([generator.permutation(count) for _ in range(rounds)], 1)
        places = (np.arange(rounds) + (order + generator.random((count, rounds))) / count) / rounds
        beside = np.ones((count, rounds), dtype=np.bool_)
        if rounds == 1:
            # One place a row: those beside each other are of different rows.
            by_place = places[:, 0].argsort()
            chosen, places, beside[0] = chosen[by_place], places[by_place], False
        else:
            beside[:, 0] = False
        device = like.device
        return cls(
            torch.from_numpy(chosen.repeat(rounds)).to(device),
            torch.from_numpy(places.flatten()).to(like),
            torch.from_numpy(beside.flatten()).to(device),
        )
