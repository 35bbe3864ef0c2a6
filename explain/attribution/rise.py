"""RISE: random masks, and what the output has to do with each part being kept (Petsiuk et al., 2018, arXiv:1806.07421)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.errors import ConfigurationError
from classifier.modalities.image import Image
from classifier.seeds import Seed
from explain.games.coalitions import spread_over_elements
from explain.games.mixtures import outputs_of_mixtures
from explain.method import METHODS, Law, Method, Quantity, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class RISE(Method):
    """Draw masks, and regress the output on how much of each part they keep, one part at a time.

    The masks of an image are random grids of few cells, enlarged smoothly and shifted at random; those of other inputs keep or
    drop whole players. The same masks serve all inputs.

    The paper takes the mean of the outputs weighted by the masks, in which even an ignored part gets the mean output.
    Here both are centred first: the slope ``cov(f, m) / var(m)``. For players it is what the output gains on average
    when one is kept rather than dropped, whatever the others do, and zero in expectation for one that is ignored. A
    pixel is never kept without its surroundings, so its slope is theirs too. Divided by how many elements move with it, slopes
    sum to what the picture does, smoothed over a cell: what lies within a cell of what counts gets credit as well.

    Standard errors are those of the slope over the masks; for an image they leave in what the patch itself
    explains, and err on the large side.

    Args:
        samples: Masks evaluated for each input.
        keep: Probability that a cell or a player is kept.
        cells: Cells along each side of an image, at most one a pixel.
    """

    spelling: ClassVar[str] = "RISE"
    quantity: ClassVar[Quantity] = "effect"
    # A pixel shares its mask with its neighbours, so the laws of single players hold for the other modalities alone.
    laws: ClassVar[frozenset[Law]] = frozenset({"linearity"})

    samples: int = 512
    keep: float = 0.5
    cells: int = 7

    def __post_init__(self) -> None:
        if self.samples < 16:
            raise ConfigurationError(f"samples must be at least 16, got {self.samples}")
        if not 0 < self.keep < 1:
            raise ConfigurationError(f"keep must lie between 0 and 1, got {self.keep}")
        if self.cells < 2:
            raise ConfigurationError(f"cells must be at least 2, got {self.cells}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        if isinstance(task.modality, Image):
            return self._of_images(task, task.modality, seed)
        kept = torch.rand(self.samples, len(task.modality.players), generator=seed.child("players").torch()) < self.keep
        values = _centred(outputs_of_mixtures(task, kept))
        moves = _centred(kept.to(values).T).T
        # A player that every mask keeps, or none, shows nothing.
        total = moves.square().sum(0).clamp_min(1e-9)
        slopes = values @ moves / total
        pull = (moves / total).square()
        spread = values.square() @ pull - 2 * slopes * (values @ (pull * moves)) + slopes.square() * (pull * moves.square()).sum(0)
        return Scores(spread_over_elements(task, slopes), standard_error=spread.clamp_min(0).sqrt())

    def _of_images(self, task: Task, modality: Image, seed: Seed) -> Scores:
        masks = _Masks.draw(modality.schema.size, self, seed)
        values = _centred(torch.cat([outputs_of_mixtures(task, part[:, None]) for part in masks.parts()], 1))
        mean = torch.stack([part.double().sum(0) for part in masks.parts()]).sum(0) / self.samples
        # How many elements of the image move with each.
        channels = len(modality.schema.features)
        together = channels * masks.together()
        slopes, total = torch.zeros(len(values), mean.numel(), dtype=values.dtype, device=values.device), torch.zeros_like(mean)
        for some, part in zip(torch.split(values, masks.size, 1), masks.parts(), strict=True):
            moves = part.double() - mean
            slopes += some @ moves.flatten(1).to(values)
            total += moves.square().sum(0)
        # As above, for a pixel.
        scale = 1 / (total.clamp_min(1e-9) * together)
        pulls = [modality.gather(((part.double() - mean) * scale)[:, None].expand(-1, channels, -1, -1)) for part in masks.parts()]
        error = (values.square() @ torch.cat(pulls).square().to(values)).sqrt()
        attributions = (slopes * scale.flatten().to(values)).reshape(-1, 1, *mean.shape)
        return Scores(attributions.expand(-1, channels, -1, -1), standard_error=error)


def _centred(values: Tensor) -> Tensor:
    """Values less the mean of each row."""
    return values - values.mean(1, keepdim=True)


@dataclass(frozen=True)
class _Masks:
    """Random grids that are enlarged to the size of an image when they are needed.

    Args:
        grids: Which cells are kept ``(M, h, w)``.
        shifts: How far each mask is shifted, in pixels ``(M, 2)``.
        cell: Height and width of a cell in pixels.
        extent: Height and width of the image.
    """

    grids: Tensor
    shifts: Tensor
    cell: tuple[int, int]
    extent: tuple[int, ...]

    @classmethod
    def draw(cls, extent: tuple[int, ...], options: RISE, seed: Seed) -> _Masks:
        generator = seed.child("grids").torch()
        cell = tuple(-(-side // options.cells) for side in extent)
        # Two cells more than fit, so that every pixel lies between centres of cells, whatever the shift.
        grid = [-(-side // step) + 2 for side, step in zip(extent, cell, strict=True)]
        grids = (torch.rand(options.samples, *grid, generator=generator) < options.keep).float()
        shifts = torch.stack([torch.randint(step, (options.samples,), generator=generator) for step in cell], 1)
        return cls(grids, shifts, (cell[0], cell[1]), extent)

    @property
    def size(self) -> int:
        """Masks that are made at once."""
        return chunk_size(self.extent)

    def parts(self) -> Iterator[Tensor]:
        """How much of each pixel is kept ``(m, H, W)``, some masks at a time."""
        for grids, shifts in zip(torch.split(self.grids, self.size), torch.split(self.shifts, self.size), strict=True):
            yield self._tents(0)[shifts[:, 0]] @ grids @ self._tents(1)[shifts[:, 1]].mT

    def together(self) -> Tensor:
        """How many pixels move with each: its covariances with all, in units of its variance ``(H, W)``, over all masks there could be."""
        reach = []
        for axis in (0, 1):
            tents = self._tents(axis).double()
            covariance = (tents @ tents.mT).mean(0)
            reach.append(covariance.sum(1) / covariance.diagonal())
        return reach[0][:, None] * reach[1]

    def _tents(self, axis: int) -> Tensor:
        """How much each cell counts for each pixel along an axis, for each shift ``(cell, extent, cells)``: linear between centres."""
        step = self.cell[axis]
        places = (torch.arange(self.extent[axis]) + torch.arange(step)[:, None]) / step
        return (1 - (places[..., None] - torch.arange(self.grids.shape[1 + axis])).abs()).clamp_min(0)
