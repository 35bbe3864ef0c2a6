"""SmoothGrad: the mean gradient around an input (Smilkov et al., 2017, arXiv:1706.03825)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.errors import ConfigurationError
from classifier.modalities._observed import observed_column
from classifier.seeds import Seed
from explain.gradients.continuum import Continuum
from explain.method import METHODS, Law, Method, Need, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Method):
    """How the output changes with each element, on average over normal noise around the input.

    The same noise serves all inputs. It comes in pairs of opposite sign, in which a slope that changes evenly cancels.
    Noisy inputs may lie outside the bounds; whether a step of a series was observed is left as it is. Of a text the
    noise lies on the embeddings, and the result is the size of the mean gradient, as for saliency; its standard error
    is an upper bound.

    Args:
        samples: Noisy inputs, an even number; each costs a forward and a backward pass.
        noise: Standard deviation of the noise, as a share of each element's unit of change: its range, or the
            schema's `scale` where it has none; of a text, as a share of the deviation of its tokens' embeddings.
    """

    spelling: ClassVar[str] = "SmoothGrad"
    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    # An edge that is there by less than nothing, as noise would have it, is none.
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "text", "sequence"})
    quantity: ClassVar[Quantity] = "slope"
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy", "symmetry", "linearity"})

    samples: int = 64
    noise: float = 0.15

    def __post_init__(self) -> None:
        if self.samples < 4 or self.samples % 2:
            raise ConfigurationError(f"samples must be even and at least 4, got {self.samples}")
        if not 0 < self.noise < float("inf"):
            raise ConfigurationError(f"noise must be above 0 and finite, got {self.noise}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        space = Continuum(task)
        pairs, unit = self.samples // 2, _unit(space)
        slopes, errors = [], []
        for rows in torch.split(torch.arange(len(task.x), device=task.x.device), space.size):
            # From its start for every batch of rows, and a pair at a time, so that all rows get the same.
            generator = seed.child("noise").torch()
            total = torch.zeros_like(space.points[rows])
            sums = squares = torch.zeros((), dtype=torch.float64, device=total.device)
            width = max(1, space.size // (2 * len(rows)))
            for start in range(0, pairs, width):
                drawn = [torch.randn(total.shape[1:], generator=generator) for _ in range(min(width, pairs - start))]
                noise = self.noise * torch.stack(drawn).to(total) * unit[rows if len(unit) > 1 else slice(None), None]
                points = space.points[rows, None, None] + torch.stack([noise, -noise], 1)
                numbers = rows.repeat_interleave(2 * len(drawn))
                found = space.gradient(points.flatten(0, 2), numbers).reshape(points.shape).mean(1)
                total += found.sum(1)
                seen = (
                    found.double() if space.embedded else task.modality.gather(found.flatten(0, 1).double()).reshape(*found.shape[:2], -1)
                )
                sums, squares = sums + seen.sum(1), squares + seen.square().sum(1)
            mean = total / pairs
            error = ((squares / pairs - (sums / pairs).square()).clamp_min(0) / (pairs - 1)).sqrt()
            slopes.append(mean.abs() if space.embedded else mean)
            errors.append(error.sum(-1) if space.embedded else error)
        return Scores(space.to_elements(torch.cat(slopes)), standard_error=torch.cat(errors))


def _unit(space: Continuum) -> Tensor:
    """How far each element moves for one unit of change ``(1, *S)``; of texts, how far embeddings are from their mean ``(N, 1, 1)``."""
    modality = space.task.modality
    if space.embedded is None:
        unit = modality.schema.scale.to(space.points).clone()
        if modality.schema.modality == "sequence" and (flag := observed_column(modality.schema)) is not None:
            unit[..., flag] = 0
        return unit[None]
    there = modality.present(space.task.x)[..., None].to(space.points)
    count = there.sum(1, keepdim=True).clamp_min(1) * space.points.shape[-1]
    mean = (space.points * there).sum((1, 2), keepdim=True) / count
    return (((space.points - mean).square() * there).sum((1, 2), keepdim=True) / count).sqrt()


def _of_players(task: Task, values: Tensor) -> Tensor:
    """Sums to players ``(n, m, P)`` of values of elements ``(n, m, *S)``."""
    return task.modality.gather(values.flatten(0, 1)).reshape(*values.shape[:2], -1)
